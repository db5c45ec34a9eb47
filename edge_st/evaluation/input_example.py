"""Texts with a label. Source: sentence-transformers' class of this name."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class InputExample:
    """``texts`` that belong together, and the ``label`` of what they are to each other."""

    guid: str = ""
    texts: list[str] = field(default_factory=list)
    label: float = 0


def columns(examples: Iterable[Any], count: int) -> list[list[str]]:
    """The first ``count`` texts of each example, a list for each place."""
    kept = list(examples)
    return [[example.texts[place] for example in kept] for place in range(count)]


def labels(examples: Iterable[Any]) -> list[Any]:
    """The label of each example."""
    return [example.label for example in examples]
