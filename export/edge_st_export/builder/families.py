"""The families of transformers that the builder writes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .architecture import Architecture
from .architectures.bert import KINDS, read_bert
from .architectures.deberta import read_deberta
from .architectures.modern_bert import read_modern_bert
from .architectures.rotary_bert import read_gte, read_new, read_nomic
from .settings import Settings


class Family(NamedTuple):
    """How the architecture of a model_type is read.

    ``read`` raises UnsupportedModelError for settings that are not supported, KeyError for missing ones. Models of some
    families bring code of their own (auto_map in config.json). ``brings_code`` says that the builder writes what that
    code computes; the code itself never runs.
    """

    read: Callable[[Settings], Architecture]
    brings_code: bool = False


#: by model_type in config.json
FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(KINDS, Family(read_bert)),
    "modernbert": Family(read_modern_bert),
    "deberta-v2": Family(read_deberta),
    "nomic_bert": Family(read_nomic, brings_code=True),
    "new": Family(read_new, brings_code=True),
    "gte": Family(read_gte),
}
