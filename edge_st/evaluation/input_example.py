"""Texts with a label. Source: sentence-transformers' class of this name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self, cast


@dataclass
class InputExample:
    """``texts`` that belong together, and the ``label`` of what they are to each other."""

    guid: str = ""
    texts: list[str] = field(default_factory=list)
    label: float = 0


class FromSentencePairs:
    """An evaluator whose first arguments are two lists of sentences and a list of what is known of each pair."""

    @classmethod
    def from_input_examples(cls, examples: Iterable[Any], **kwargs: Any) -> Self:
        """The evaluator of examples with two ``texts`` and a ``label``; ``kwargs`` are the other arguments."""
        kept, build = list(examples), cast("Callable[..., Self]", cls)
        return build(*columns(kept, 2), labels(kept), **kwargs)


def columns(examples: Iterable[Any], count: int) -> list[list[str]]:
    """The first ``count`` texts of each example, a list for each place."""
    kept = list(examples)
    return [[example.texts[place] for example in kept] for place in range(count)]


def labels(examples: Iterable[Any]) -> list[Any]:
    """The label of each example."""
    return [example.label for example in examples]
