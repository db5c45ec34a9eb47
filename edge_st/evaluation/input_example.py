"""Texts with a label, as sentence-transformers' InputExample, and evaluators made from them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self, cast


@dataclass
class InputExample:
    """``texts``, such as a pair or a triplet, and their ``label``."""

    guid: str = ""
    texts: list[str] = field(default_factory=list)
    label: float = 0


class FromSentencePairs:
    """An evaluator whose first arguments are two lists of sentences and a list of labels or scores."""

    @classmethod
    def from_input_examples(cls, examples: Iterable[Any], **kwargs: Any) -> Self:
        """Make the evaluator from examples with two ``texts`` and a ``label``.

        ``kwargs`` are the evaluator's other arguments.
        """
        kept, build = list(examples), cast("Callable[..., Self]", cls)
        return build(*columns(kept, 2), labels(kept), **kwargs)


def columns(examples: Iterable[Any], count: int) -> list[list[str]]:
    """``count`` lists: the first texts of all examples, the second texts, and so on."""
    kept = list(examples)
    return [[example.texts[place] for example in kept] for place in range(count)]


def labels(examples: Iterable[Any]) -> list[Any]:
    """The label of each example."""
    return [example.label for example in examples]
