"""The families of transformers that the builder writes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .architecture import Architecture
from .architectures.bert import read_bert
from .architectures.bert_kinds import KINDS
from .architectures.deberta import read_deberta
from .architectures.decoder import read_gemma3, read_qwen3
from .architectures.modern_bert import read_modern_bert
from .architectures.rotary_bert import read_gte, read_new, read_nomic
from .architectures.t5 import KINDS as T5_KINDS
from .architectures.t5 import read_t5
from .settings import Settings

#: what the graph is for: hidden states, a classification head, SPLADE's weights of words, words that score a text
FEATURES, CLASSES, WORDS, ANSWERS = "feature-extraction", "sequence-classification", "fill-mask", "text-generation"
_TASKS = (FEATURES, CLASSES, WORDS)


class Family(NamedTuple):
    """How the architecture of a model_type is read.

    ``read`` raises UnsupportedModelError for settings that are not supported, KeyError for missing ones. Models of some
    families bring code of their own (auto_map in config.json). ``brings_code`` says that the builder writes what that
    code computes; the code itself never runs. ``tasks`` are those of sentence-transformers' Transformer.
    """

    read: Callable[[Settings], Architecture]
    brings_code: bool = False
    tasks: tuple[str, ...] = (FEATURES, CLASSES)


#: by model_type in config.json
FAMILIES: Mapping[str, Family] = {
    **{name: Family(read_bert, tasks=_TASKS if kind.words else _TASKS[:2]) for name, kind in KINDS.items()},
    "modernbert": Family(read_modern_bert, tasks=_TASKS),
    "deberta-v2": Family(read_deberta),
    "nomic_bert": Family(read_nomic, brings_code=True),
    "new": Family(read_new, brings_code=True),
    "gte": Family(read_gte, brings_code=True),
    "qwen3": Family(read_qwen3, tasks=(FEATURES, CLASSES, ANSWERS)),
    "gemma3_text": Family(read_gemma3, tasks=(FEATURES, CLASSES, ANSWERS)),
    **dict.fromkeys(T5_KINDS, Family(read_t5, tasks=(FEATURES,))),
}
