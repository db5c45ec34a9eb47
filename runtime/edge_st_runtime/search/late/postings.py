"""Which passages have a token near a centroid: for each centroid, their numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ids
from ...errors import DamagedFileError

_ROWS, _ENDS = "posting_rows", "posting_ends"
#: tokens whose centroids are sorted at once
_TOKENS = 65_536
#: the dtype of each column
POSTING_COLUMNS: Mapping[str, Any] = {_ROWS: np.int32, _ENDS: np.int64}


@dataclass(frozen=True, eq=False, slots=True)
class Postings:
    """The ``rows`` (n,) int32 of all centroids, one centroid's after the other's.

    Those of centroid i end at ``ends[i]``.
    """

    rows: NDArray[np.int32]
    ends: Ids

    @classmethod
    def of(cls, nearest: NDArray[np.uint16], ends: Ids, count: int) -> "Postings":
        """Those of passages whose tokens have the ``nearest`` (tokens,) centroid of ``count``.

        The tokens of passage i end at ``ends[i]``.
        """
        counts = np.zeros(count, dtype=np.int64)
        for near, _ in _distinct(nearest, ends):
            counts += np.bincount(near, minlength=count)
        places = np.cumsum(counts) - counts
        rows = np.empty(int(counts.sum()), dtype=np.int32)
        for near, passages in _distinct(nearest, ends):
            first = np.searchsorted(near, near)
            rows[places[near] + np.arange(len(near)) - first] = passages
            places += np.bincount(near, minlength=count)
        return cls(rows, np.cumsum(counts))

    @classmethod
    def opened(cls, columns: Mapping[str, NDArray[Any]], count: int) -> "Postings":
        """Those in ``columns``, of ``count`` centroids; raises DamagedFileError where they do not fit these."""
        rows, ends = columns[_ROWS].reshape(-1), np.array(columns[_ENDS].reshape(-1))
        fits = len(ends) == count and (np.diff(ends, prepend=0) >= 0).all() and ends[-1] == len(rows)
        if not fits:
            raise DamagedFileError(f"the segment has postings for {len(ends)} centroids; expected {count}, in order")
        return cls(rows, ends)

    def columns(self) -> dict[str, NDArray[Any]]:
        """The arrays that `opened` takes."""
        return {_ROWS: self.rows, _ENDS: self.ends}

    def scores(self, near: Floats, probed: int, passages: int) -> Floats:
        """An estimate of the MaxSim of each of the ``passages`` (passages,) float32.

        ``near`` (query tokens, centroids) are the products of the query with the centroids. A token's product with a
        passage is taken to be that of the passage's best one among the ``probed`` best centroids; for passages that
        have none of them, that of the centroid that comes next. Raises IndexError for postings beyond the passages.
        """
        scores, best = np.zeros(passages, dtype=np.float32), np.empty(passages, dtype=np.float32)
        probed = min(probed, near.shape[1] - 1)
        starts = np.concatenate([[0], self.ends[:-1]])
        for token in near:
            places = np.argpartition(-token, probed)[: probed + 1]
            missed, *chosen = places[np.argsort(token[places], kind="stable")].tolist()
            best.fill(token[missed])
            for place in chosen:  # the best one comes last, and is what stays
                best[self.rows[starts[place] : self.ends[place]]] = token[place]
            scores += best
        return scores


def _distinct(nearest: NDArray[np.uint16], ends: Ids) -> Iterator[tuple[Ids, Ids]]:
    """The centroids (n,) and passages (n,) that belong together, each pair once, by centroid, in portions."""
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    first = 0
    while first < len(ends):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + _TOKENS, side="right")))
        passages = np.repeat(np.arange(last - first), ends[first:last] - starts[first:last])
        keys = nearest[starts[first] : ends[last - 1]].astype(np.int64) * (last - first) + passages
        near, rows = np.divmod(np.unique(keys), last - first)
        yield near, rows + first
        first = last
