"""The zoo's multi-vector models: token vectors with expansion, skip lists, poolings, and ColBERT folders of others."""

import json
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling, MultiVectorMask
from tokenizers import AddedToken, Tokenizer
from torch import nn

from tests.export.originals import BERT_TOKENS, HIDDEN, save_transformer
from tests.export.zoo.building import (
    EOS_TOKENS,
    RIGHT,
    ROBERTA,
    SETTINGS_FILE,
    SPREAD,
    TRANSFORMER_FILE,
    XLM,
    Case,
    but,
    composed,
    replace,
)
from tests.export.zoo.cross_encoders import DISTILBERT, MODERNBERT, MPNET, QWEN3
from tests.support.tiny_tokenizers import wordpiece

Build: TypeAlias = Callable[[Path], Path]
DIM = 24
PUNCTUATION = list(string.punctuation)
MASKED_BERT: dict[str, Any] = {"tokens": {**BERT_TOKENS, "mask_token": "[MASK]"}}
PROMPTS = {"query": "the quick search: ", "document": "a sea: "}
TOKENS = "token_embeddings"


def projection(
    width: int = HIDDEN, dim: int = DIM, *, bias: bool = False, activation: Any = None, **options: Any
) -> Dense:
    """A Dense over tokens."""
    return Dense(width, dim, bias, activation or nn.Identity(), module_input_name=TOKENS, **options)


def late(
    *modules: Callable[[], nn.Module],
    expansion: Mapping[str, Any] | None = None,
    lengths: tuple[int | None, int | None] = (None, None),
    mask: Mapping[str, Any] | None = None,
    prompts: Mapping[str, str] | None = None,
    similarity: str | None = None,
    **options: Any,
) -> Build:
    """The builder of a transformer, `projection` or other ``modules``, a MultiVectorMask of ``mask``, and a Normalize.

    Modules that pool tokens come last. ``lengths`` are those of queries and documents.
    """

    def build(folder: Path) -> list[nn.Module]:
        path = save_transformer(folder / "part", **{"spread": SPREAD, **MASKED_BERT, **options})
        query, document = lengths
        first = Transformer(
            str(path),
            processor_kwargs={"model_max_length": 48},
            query_length=query,
            document_length=document,
            query_expansion=None if expansion is None else dict(expansion),
        )
        made = [module() for module in modules or (projection,)]
        pooling = [module for module in made if isinstance(module, HierarchicalTokenPooling)]
        dense = [module for module in made if module not in pooling]
        return [first, *dense, MultiVectorMask(**(mask or {})), Normalize(module_input_name=TOKENS), *pooling]

    given = {"prompts": prompts, "similarity_fn_name": similarity}
    return composed(build, model_class=MultiVectorEncoder, **given)


def fixed(length: int, **more: Any) -> dict[str, Any]:
    """An expansion to exactly ``length`` tokens."""
    return {"strategy": "fixed", "length": length, **more}


def marked(tokens: Mapping[str, bool]) -> Callable[[], Tokenizer]:
    """BERT's tokenizer with ``tokens``: in its vocabulary where the value is True, else added to it."""

    def build() -> Tokenizer:
        content = json.loads(wordpiece().to_str())
        vocabulary = content["model"]["vocab"]
        for token in (token for token, inside in tokens.items() if inside):
            vocabulary[token] = len(vocabulary)
        tokenizer = Tokenizer.from_str(json.dumps(content))
        tokenizer.add_tokens([AddedToken(token, normalized=True) for token, inside in tokens.items() if not inside])
        return tokenizer

    return build


def pylate(dense: str = "pylate.models.Dense.Dense", **settings: Any) -> Build:
    """The builder of a folder as PyLate saves it, with ``settings``; ``dense`` is what it calls the projection."""

    def build(folder: Path) -> Path:
        torch.manual_seed(5)
        tokenizer = marked({"[Q] ": False, "[D] ": False})
        path = save_transformer(folder, spread=SPREAD, tokenizer=tokenizer, **MASKED_BERT)
        original = folder / "original"
        first = Transformer(str(path), processor_kwargs={"model_max_length": 48})
        MultiVectorEncoder(modules=[first, projection()], device="cpu").save_pretrained(
            str(original), create_model_card=False
        )
        kinds = {"": "sentence_transformers.models.Transformer", "1_Dense": dense}
        entries = [{"idx": i, "name": str(i), "path": path, "type": kinds[path]} for i, path in enumerate(kinds)]
        (original / "modules.json").write_text(json.dumps(entries), encoding="utf-8")
        replace(TRANSFORMER_FILE, max_seq_length=48, do_lower_case=False)(original)
        config = {"in_features": HIDDEN, "out_features": DIM, "bias": False}
        replace("1_Dense/config.json", **config, activation_function="torch.nn.modules.linear.Identity")(original)
        prefixes = {"query_prefix": "[Q] ", "document_prefix": "[D] "}
        replace(SETTINGS_FILE, **{"prompts": {}, "similarity_fn_name": "MaxSim", **prefixes, **settings})(original)
        return original

    return build


def stanford(**metadata: Any) -> Build:
    """The builder of a folder as Stanford's ColBERT saves it: one file of weights, and artifact.metadata."""

    def build(folder: Path) -> Path:
        tokenizer = marked({"[unused0]": True, "[unused1]": True})
        path = save_transformer(folder, spread=SPREAD, tokenizer=tokenizer, **MASKED_BERT)
        from safetensors.torch import load_file, save_file

        weights = {f"bert.{name}": value for name, value in load_file(path / "model.safetensors").items()}
        torch.manual_seed(5)
        save_file(
            {**weights, "linear.weight": torch.randn(DIM, HIDDEN) / HIDDEN**0.5},
            path / "model.safetensors",
            metadata={"format": "pt"},
        )
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        replace("config.json", **{**config, "architectures": ["HF_ColBERT"]})(path)
        if metadata:
            replace("artifact.metadata", **metadata)(path)
        return path

    return build


MULTI_VECTOR_ENCODERS: Mapping[str, Case] = {
    "late-bert": Case("BERT", "Dense, MultiVectorMask, Normalize", late()),
    "late-fixed": Case(
        "BERT",
        "Dense, MultiVectorMask without punctuation, Normalize, queries of exactly 32 tokens, prompts",
        late(expansion=fixed(32), lengths=(None, 40), mask={"skiplist_words": PUNCTUATION}, prompts=PROMPTS),
    ),
    "late-distilbert": Case(
        "DistilBERT",
        "Dense, MultiVectorMask, Normalize, queries of exactly 24 tokens, all attended to",
        late(
            **but(DISTILBERT, tokens=DISTILBERT["tokens"] | {"mask_token": "[MASK]"}), expansion=fixed(24, attend=True)
        ),
    ),
    "late-roberta": Case(
        "RoBERTa",
        "Dense, MultiVectorMask, Normalize, queries of at least 16 tokens",
        late(**ROBERTA, expansion={"strategy": "min", "length": 16, "token": "<pad>"}, lengths=(24, 44)),
    ),
    "late-xlm-roberta": Case(
        "XLM-RoBERTa, Unigram",
        "Dense, MultiVectorMask without punctuation in queries either, Normalize, queries of exactly 20 tokens",
        late(
            **XLM,
            expansion=fixed(20),
            mask={"skiplist_words": PUNCTUATION, "skiplist_tasks": ["query", "document"]},
            prompts=PROMPTS,
        ),
    ),
    "late-modernbert": Case(
        "ModernBERT, local attention",
        "Dense, MultiVectorMask, Normalize, queries of at least 32 tokens, all attended to",
        late(**MODERNBERT, expansion={"strategy": "min", "length": 32, "attend": True}, lengths=(40, None)),
    ),
    "late-mpnet": Case(
        "MPNet",
        "Dense with GELU and a bias, Dense with a residual, MultiVectorMask, Normalize",
        late(
            lambda: projection(dim=40, bias=True, activation=nn.GELU()),
            lambda: projection(40, use_residual=True),
            **MPNET,
        ),
    ),
    "late-qwen3": Case(
        "Qwen3, padded on the right",
        "Dense, MultiVectorMask, Normalize, queries of exactly 32 tokens",
        late(**but(QWEN3, tokens=EOS_TOKENS | RIGHT), expansion=fixed(32, attend=True)),
    ),
    "late-kept": Case(
        "BERT",
        "Dense, MultiVectorMask of some tokens, Normalize",
        late(mask={"keep_only_token_ids": list(range(0, 410, 3))}, prompts=PROMPTS),
    ),
    "late-mean": Case(
        "BERT",
        "Dense with Tanh, MultiVectorMask, Normalize, mean of maxima",
        late(lambda: projection(activation=nn.Tanh()), expansion=fixed(32), similarity="meanmaxsim"),
    ),
    "late-pooled": Case(
        "BERT",
        "Dense, MultiVectorMask, Normalize, HierarchicalTokenPooling",
        late(projection, lambda: HierarchicalTokenPooling(2), expansion=fixed(32), prompts=PROMPTS),
    ),
    "pylate": Case(
        "BERT as PyLate saves it",
        "Dense, queries of exactly 32 tokens",
        pylate(model_type="ColBERT", query_length=32, document_length=44, skiplist_words=PUNCTUATION),
    ),
    "pylate-plain": Case(
        "BERT as older versions of PyLate save it",
        "Dense, no expansion",
        pylate(do_query_expansion=False, prompts={"query": "the "}, query_length=30, document_length=44),
    ),
    "stanford": Case(
        "BERT as Stanford's ColBERT saves it",
        "its projection, queries of exactly 24 tokens, all attended to",
        stanford(query_maxlen=24, doc_maxlen=44, attend_to_mask_tokens=True, mask_punctuation=True),
    ),
    "stanford-bare": Case("BERT as Stanford's ColBERT saves it", "its projection, the defaults", stanford()),
}
