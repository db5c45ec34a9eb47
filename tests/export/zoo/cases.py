"""The parity zoo: small random models of every kind, exported and compared with sentence-transformers."""

from collections.abc import Mapping
from importlib.util import find_spec

from transformers import CONFIG_MAPPING

from tests.export.zoo.architectures import ARCHITECTURES
from tests.export.zoo.building import Case
from tests.export.zoo.cross_encoders import CLASSIFIERS, CROSS_ENCODERS
from tests.export.zoo.modules import ACTIVATIONS, MODULES, POOLINGS, PROMPTED
from tests.export.zoo.newer import NEWER, NEWER_SPARSE, NEWEST
from tests.export.zoo.routers import ROUTERS
from tests.export.zoo.sparse import MASKED_MODELS, SPARSE_ENCODERS
from tests.export.zoo.tokenizer_makers import TOKENIZERS
from tests.export.zoo.word_vectors import WORD_VECTORS

EMBEDDING_MODELS: Mapping[str, Case] = {
    **ARCHITECTURES,
    **NEWER,
    **POOLINGS,
    **ACTIVATIONS,
    **MODULES,
    **WORD_VECTORS,
    **ROUTERS,
    **PROMPTED,
    **TOKENIZERS,
}
#: by the headings of their tables
KINDS: Mapping[str, Mapping[str, Case]] = {
    "": EMBEDDING_MODELS,
    "### Cross-encoders": CROSS_ENCODERS,
    "### Sparse encoders": {**SPARSE_ENCODERS, **NEWER_SPARSE},
}
if find_spec("sentence_transformers.multi_vector_encoder"):  # since 6.0
    from tests.export.zoo.multi_vector import MULTI_VECTOR_ENCODERS

    KINDS = {**KINDS, "### Multi-vector encoders": MULTI_VECTOR_ENCODERS}
CASES: dict[str, Case] = {name: case for cases in KINDS.values() for name, case in cases.items()}
#: not in the tables, which are those of today's versions
CASES |= {f"newest-{kind}": case for kind, case in NEWEST.items() if kind in CONFIG_MAPPING}
#: those whose graph is unlike the others'
CONVERTED = {
    *ARCHITECTURES,
    *NEWER,
    *CLASSIFIERS,
    *MASKED_MODELS,
    *("lstm", "cnn-lstm", "weighted-layers", "router-of-two", "dense-scores", "logit-score"),
}
#: those that the older versions, too, have to export in every run
OLDER = {
    *("bert", "modernbert", "embeddinggemma", "mistral", "custom-code", "sentencepiece"),
    *("classifier-bert", "splade-bert", "inference-free"),
}
#: those that others in every run are much like
SLOW = {
    *("roberta", "xlm-roberta", "camembert", "distilbert", "albert", "electra", "bge-m3", "modernbert-8192"),
    *("custom-code", "nomic", "gte", "mistral", "ministral3", "qwen3-right", "gpt2", "gpt-neox", "old-clip"),
    *("eurobert", "jina-v3", "lfm2", "llama", "olmo3", "qwen2", "weighted-layers", "cnn-lstm"),
    *("padding-and-truncation", "classifier-untyped", "classifier-roberta", "classifier-xlm-roberta"),
    *(f"classifier-{kind}" for kind in ("distilbert", "mpnet", "albert", "electra")),
    *(f"classifier-{kind}" for kind in ("deberta-v2", "deberta-v3", "modernbert", "modernbert-mean", "nomic", "gte")),
    *("classifier-qwen3-right", "classifier-plain-half", "classifier-short-roberta", "dense-scores-of-mean"),
    *("logit-score-plain", "logit-score-tied", "scores-identity-v4", "scores-tanh-v4"),
    *(f"splade-{kind}" for kind in ("distilbert", "roberta", "xlm-roberta", "modernbert", "electra", "mpnet")),
    *(f"late-{kind}" for kind in ("distilbert", "roberta", "xlm-roberta", "mpnet")),
}
