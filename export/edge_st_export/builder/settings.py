"""The settings in a transformer's config.json; what the builder does not support is refused by its name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import EXPORT, DamagedFileError, UnsupportedModelError

from .activations import ACTIVATIONS
from .heads import Answers
from .ports import TYPES
from .words import Splade


@dataclass(frozen=True)
class Settings:
    """The ``values`` of the config.json at ``path``.

    ``classifies`` says whether the graph gives the logits of a classification head. ``tokenizer_inputs`` are the names
    that the tokenizer says that it gives; empty where it does not say. ``longest`` is the most tokens of a text, None
    where nothing limits them. ``splade`` says how the graph weighs all words, ``answers`` which words score a text, in
    graphs that do.
    """

    path: Path
    values: Mapping[str, Any]
    classifies: bool = False
    tokenizer_inputs: tuple[str, ...] = ()
    longest: int | None = None
    splade: Splade | None = None
    answers: Answers | None = None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``, ``default`` where it is missing or null."""
        value = self.values.get(key)
        return default if value is None else value

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number; raises KeyError where it is missing without a default."""
        return int(self.values[key] if default is None else self.get(key, default))

    def number(self, key: str, default: float | None = None) -> float:
        """A number; raises KeyError where it is missing without a default."""
        return float(self.values[key] if default is None else self.get(key, default))

    def flag(self, key: str, *, default: bool = False) -> bool:
        """A truth value."""
        return bool(self.get(key, default))

    def token_types(self, default: int, *, unsaid: bool = True) -> int:
        """How many types of tokens the graph tells apart: with 1 every token is of the first, with 0 there is no table.

        ``default`` is that of type_vocab_size. A tokenizer that does not say gives types where ``unsaid``.
        """
        given = TYPES in self.tokenizer_inputs if self.tokenizer_inputs else unsaid
        types = self.integer("type_vocab_size", default)
        return types if given else min(types, 1)

    def choice(self, key: str, supported: Collection[Any], default: Any = None) -> Any:
        """One of the ``supported`` values; raises UnsupportedModelError for any other."""
        value = self.get(key, default)
        if value not in supported:
            raise self.refusal(f"{key} is {value!r}", " or ".join(map(repr, supported)))
        return value

    def activation(self, key: str, default: str = "gelu") -> str:
        """The name of an activation function in `ACTIVATIONS`; raises UnsupportedModelError."""
        return str(self.choice(key, ACTIVATIONS, default))

    def longest_text(self, key: str, default: int) -> int:
        """The most tokens of a text, of which ``key`` says how many the transformer was made for."""
        return max(self.integer(key, default), self.longest or 0)

    def each_layer(self, key: str, default: Sequence[str]) -> tuple[str, ...]:
        """A word for each layer, of which ``default`` has as many as there are layers; raises DamagedFileError."""
        found = tuple(map(str, self.get(key, default)))
        if len(found) < len(default):
            raise DamagedFileError(
                f"{self.path}: {key} has {len(found)} entries for {len(default)} layers; download the model again"
            )
        return found[: len(default)]

    def head_size(self, hidden: int, heads: int) -> int:
        """The width of an attention head; raises DamagedFileError where ``hidden`` is no multiple of ``heads``."""
        if heads < 1 or hidden % heads:
            raise DamagedFileError(
                f"{self.path} says {heads} attention heads for a width of {hidden}, which is no multiple of it; "
                "download the model again"
            )
        return hidden // heads

    def refusal(self, found: str, supported: str) -> UnsupportedModelError:
        """The error for a setting that the builder does not support."""
        return refusal(self.path, found, supported)


def refusal(path: Path, found: str, supported: str) -> UnsupportedModelError:
    """The error for what was ``found`` in the file or folder ``path``."""
    return UnsupportedModelError(f"{path}: {found}; edge-st convert supports {supported}. Export the model {EXPORT}")
