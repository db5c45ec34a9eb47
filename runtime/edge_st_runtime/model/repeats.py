"""Texts that occur several times in a call are computed once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..text.tokens import TextOrPair

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Distinct:
    """The ``texts`` of a call without repetitions, in order, and their places among all ``count``.

    ``first`` (distinct,) int64 is where each text occurs first; ``copies`` (repeated,) are the other places, and
    ``originals`` (repeated,) the first place of the text at each.
    """

    texts: Sequence[TextOrPair]
    count: int
    first: Places
    copies: Places
    originals: Places

    def places(self, first: Places) -> Places:
        """Every place (n,), in order, of the texts that occur first at ``first``."""
        return np.sort(np.concatenate((first, self.copies[np.isin(self.originals, first)])))


def find_distinct(texts: Sequence[TextOrPair]) -> Distinct:
    """``texts`` without repetitions. Without any, this costs a sort of one number a text."""
    everywhere, none = np.arange(len(texts)), np.empty(0, dtype=np.int64)
    suspects = _suspects(texts)
    if not len(suspects):
        return Distinct(texts, len(texts), everywhere, none, none)
    met: dict[TextOrPair, int] = {}
    places: list[int] = suspects.tolist()
    originals = np.array([met.setdefault(texts[place], place) for place in places], dtype=np.int64)
    repeated = originals != suspects
    copies = suspects[repeated]
    first = np.delete(everywhere, copies)
    return Distinct([texts[place] for place in first.tolist()], len(texts), first, copies, originals[repeated])


def _suspects(texts: Sequence[TextOrPair]) -> Places:
    """Places, in order, of the texts whose hash is also another's."""
    hashes = np.fromiter(map(hash, texts), dtype=np.int64, count=len(texts))
    ordered = np.sort(hashes)
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(hashes, shared)) if len(shared) else shared
