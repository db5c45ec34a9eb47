"""The families of transformers that the builder writes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .architecture import Architecture
from .architectures.bert import KINDS, read_bert
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
}
