"""How a tokenizer joins two texts: the special tokens around them, and how both are truncated to a limit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedModelError
from .tokens import as_ids

Ids = NDArray[np.int32]
_PROBES = (("a", "b"), ("a 1", "b 2"))


@dataclass(frozen=True, eq=False)
class PairTemplate:
    """The special tokens before, between and after two texts, as ids and as type ids, and the type id of each text."""

    ids: tuple[Ids, Ids, Ids]
    type_ids: tuple[Ids, Ids, Ids]
    types: tuple[int, int]

    @property
    def size(self) -> int:
        """Number of special tokens."""
        return sum(map(len, self.ids))

    def join(self, first: Ids, second: Ids, limit: int | None, cut_left: bool) -> tuple[Ids, Ids]:
        """Ids and type ids (tokens,) of both texts, truncated to ``limit`` tokens; the longer text is cut first."""
        if limit is not None:
            lengths = longest_first(len(first), len(second), max(0, limit - self.size))
            first, second = (
                _cut(text, length, cut_left) for text, length in zip((first, second), lengths, strict=True)
            )
        (before, between, after), types = self.ids, self.type_ids
        own = [np.full(len(text), type_id, np.int32) for text, type_id in zip((first, second), self.types, strict=True)]
        return (
            np.concatenate((before, first, between, second, after)),
            np.concatenate((types[0], own[0], types[1], own[1], types[2])),
        )


def read_template(encode: Callable[[str, str], Any]) -> PairTemplate:
    """The template of a tokenizer; ``encode`` gives its encoding of two texts.

    Raises UnsupportedModelError for a tokenizer that does not put the second text after the first.
    """
    for probe in _PROBES:
        encoding = encode(*probe)
        text = np.array([-1 if number is None else number for number in encoding.sequence_ids])
        first, second = (np.flatnonzero(text == number) for number in (0, 1))
        if len(first) and len(second) and _in_order(first, second):
            cuts = ((0, first[0]), (first[-1] + 1, second[0]), (second[-1] + 1, len(text)))
            ids, types = as_ids(encoding.ids), as_ids(encoding.type_ids)
            return PairTemplate(
                (ids[slice(*cuts[0])], ids[slice(*cuts[1])], ids[slice(*cuts[2])]),
                (types[slice(*cuts[0])], types[slice(*cuts[1])], types[slice(*cuts[2])]),
                (int(types[first[0]]), int(types[second[0]])),
            )
    raise UnsupportedModelError(
        "this tokenizer does not put the second text of a pair after the first; expected [CLS] first [SEP] second [SEP]"
    )


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """The lengths of a pair's texts after truncation to ``room`` tokens for both; the longer one is cut first.

    Source: tokenizers' "longest_first".
    """
    if first + second <= room:
        return first, second
    short, long = sorted((first, second))
    long = max(short, room - short)
    if short + long > room:
        short, long = room // 2, room - room // 2
    return (short, long) if first <= second else (long, short)


def _cut(text: Ids, length: int, left: bool) -> Ids:
    return text[len(text) - length :] if left else text[:length]


def _in_order(first: NDArray[np.intp], second: NDArray[np.intp]) -> bool:
    whole = all(len(places) == places[-1] - places[0] + 1 for places in (first, second))
    return whole and bool(first[-1] < second[0])
