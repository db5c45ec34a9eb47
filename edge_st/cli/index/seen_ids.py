"""The ids that a run has met, in little memory."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from edge_st_runtime.store.rows.snapshot import encoded_id, hashes_of


class SeenIds:
    """A set of ids that takes eight bytes for each: sorted arrays of hashes, each shorter than the one before.

    Two ids with the same hash are taken for one.
    """

    def __init__(self) -> None:
        self._sorted: list[np.ndarray[Any, np.dtype[np.uint64]]] = []

    def add(self, ids: Iterable[str | int]) -> list[bool]:
        """Add ``ids``; returns for each whether it was in the set before."""
        hashes = hashes_of([encoded_id(found) for found in ids])
        known = np.zeros(len(hashes), dtype=bool)
        for earlier in self._sorted:
            known |= earlier[np.minimum(np.searchsorted(earlier, hashes), len(earlier) - 1)] == hashes
        self._sorted.append(np.sort(hashes))
        while len(self._sorted) > 1 and len(self._sorted[-2]) <= len(self._sorted[-1]):
            last = self._sorted.pop()
            self._sorted[-1] = np.sort(np.concatenate([self._sorted[-1], last]))
        return known.tolist()
