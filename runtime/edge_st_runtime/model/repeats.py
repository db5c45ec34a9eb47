"""A text that occurs several times in a call is encoded once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..text.tokens import TextOrPair

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct ``texts`` of a call, in order, and their places among all ``count`` texts.

    ``first`` (distinct,) int64 is the place where each text occurs first. ``copies`` (repeated,) are all other places,
    and ``originals`` (repeated,) says for each of them the place where its text occurs first.
    """

    texts: Sequence[TextOrPair]
    count: int
    first: Places
    copies: Places
    originals: Places

    def places(self, first: Places) -> Places:
        """Every place (n,), in order, where one of the texts that occur first at ``first`` occurs."""
        return np.sort(np.concatenate((first, self.copies[np.isin(self.originals, first)])))


def find_distinct(texts: Sequence[TextOrPair]) -> Distinct:
    """The distinct texts of ``texts``. If there are no repetitions, this costs a sort of one number for each text."""
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
    """The places, in order, of the texts whose hash occurs more than once."""
    hashes = np.fromiter(map(hash, texts), dtype=np.int64, count=len(texts))
    ordered = np.sort(hashes)
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(hashes, shared)) if len(shared) else shared
