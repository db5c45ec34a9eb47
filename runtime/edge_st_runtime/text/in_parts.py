"""Tokenize all of a long text a part at a time, with the tokens of the whole.

Each part begins a few words before the place where the tokens of the last one end, and must repeat the tokens there.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .tokens import as_ids

_PART, _MARGIN = 2**17, 256


class _Part(NamedTuple):
    """A part's tokens: their ids, the characters of the text at which they begin, and which of them begin a word."""

    ids: list[int]
    starts: NDArray[np.int64]
    begins: NDArray[np.int64]


class _Cut(NamedTuple):
    """Where the next part takes over: the token before which this one stops, the character at which that token begins.

    The next part begins at the character ``place``, and has the tokens ``before`` in front of the border.
    """

    stop: int
    border: int
    place: int
    before: list[int]


def ids_in_parts(text: str, encode: Callable[[Sequence[str]], list[Any]]) -> NDArray[np.int32]:
    """The ids (n,) of all tokens of ``text``; ``encode`` gives encodings without special tokens, with offsets.

    Memory is bounded by the ids and the longest stretch without words. Exact where normalizer and pre-tokenizer look at
    fewer than 256 characters before and after a word. Raises DamagedFileError for an id beyond int32.
    """
    found, place, size = array("i"), 0, _PART
    cut = _Cut(0, 0, 0, [])
    while True:
        part = _read(encode([text[place : place + size]])[0], place)
        first = _resumed(part, cut)
        if first is None and place == 0:
            return as_ids(encode([text])[0].ids)
        if first is None:  # it began too near to the border
            end, place = place + size, max(0, 2 * place - cut.border)
            size = end - place
            continue
        if place + size >= len(text):
            found.frombytes(as_ids(part.ids[first:]).tobytes())
            return np.frombuffer(found, dtype=np.int32)
        following = _cut(part, first, place + size)
        if following is None:
            size *= 2
            continue
        found.frombytes(as_ids(part.ids[first : following.stop]).tobytes())
        cut, place, size = following, following.place, _PART


def _read(encoding: Any, place: int) -> _Part:
    words = np.array(encoding.word_ids, dtype=object)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2) + place
    behind = np.maximum.accumulate(offsets[:, 1])
    begins = np.flatnonzero((words[1:] != words[:-1]) & (offsets[1:, 0] >= behind[:-1])) + 1
    return _Part(encoding.ids, offsets[:, 0], begins)


def _resumed(part: _Part, cut: _Cut) -> int | None:
    """The token of ``part`` at the border of ``cut``; None unless it has the same tokens before it."""
    if not cut.border:
        return 0
    at = part.begins[part.starts[part.begins] == cut.border]
    if len(at) != 1:
        return None
    first, count = int(at[0]), len(cut.before)
    return first if count <= first and part.ids[first - count : first] == cut.before else None


def _cut(part: _Part, first: int, end: int) -> _Cut | None:
    """A cut after ``first``, at the last word that begins far enough before ``end``; None where there is none."""
    starts = part.starts
    stops = part.begins[(part.begins > first) & (starts[part.begins] <= end - _MARGIN)]
    if not len(stops):
        return None
    stop = int(stops[-1])
    border = int(starts[stop])
    places = part.begins[starts[part.begins] <= border - 2 * _MARGIN]
    if not len(places):
        return None
    place = int(starts[places[-1]])
    before = int(places[-1]) + int(np.searchsorted(starts[places[-1] : stop], place + _MARGIN))
    return _Cut(stop, border, place, part.ids[before:stop]) if before < stop else None
