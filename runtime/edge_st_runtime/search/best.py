"""The best rows of a corpus for each query, collected block by block; most scores are dropped without sorting them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ids

_SPARE = 1024
NO_ROW = -1
#: for each row of a corpus, whether it may be found
Allowed = NDArray[np.bool_]


class Best:
    """Collects the ``k`` best rows for each of several queries; of equal scores, the row with the smaller number.

    Rows with a score below ``threshold``, of minus infinity or of NaN are left out. An instance is for one thread;
    several threads fill one each, and `join` them.
    """

    def __init__(self, queries: int, k: int, threshold: float | None = None, dtype: Any = np.float32) -> None:
        self._k = k
        least = -np.inf if threshold is None else np.nextafter(dtype(threshold), dtype(-np.inf))
        self._floors = np.full(queries, least, dtype=dtype)
        self._queries, self._rows = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._scores = np.empty(0, dtype=dtype)

    def offer(self, scores: NDArray[Any], start: int) -> None:
        """Take scores (queries, n) of the rows from number ``start`` on; call it in ascending order of ``start``."""
        if not len(self._rows):
            self._floors = np.maximum(self._floors, _lower_bounds(scores, self._k))
        places = np.flatnonzero(scores > self._floors[:, None])
        if len(places):
            queries, columns = np.divmod(places, scores.shape[1])
            self._take(queries, columns + start, scores.reshape(-1)[places])

    def join(self, other: "Best") -> "Best":
        """Add the rows that ``other`` has collected for the same queries; return this one."""
        self._take(other._queries, other._rows, other._scores)
        return self

    def _take(self, queries: Ids, rows: Ids, scores: NDArray[Any]) -> None:
        self._queries = np.concatenate((self._queries, queries))
        self._rows = np.concatenate((self._rows, rows))
        self._scores = np.concatenate((self._scores, scores))
        if len(self._rows) > 2 * self._k * len(self._floors) + _SPARE or len(self._rows) == len(rows):
            self._drop_the_rest()

    def _drop_the_rest(self) -> None:
        """Keep the ``k`` best of each query, in order; a query that has ``k`` gets the score of its last as floor."""
        order = np.lexsort((self._rows, -self._scores, self._queries))
        self._queries, self._rows, self._scores = self._queries[order], self._rows[order], self._scores[order]
        ranks = self._ranks()
        last, kept = ranks == self._k - 1, ranks < self._k
        self._floors[self._queries[last]] = self._scores[last]
        self._queries, self._rows, self._scores = self._queries[kept], self._rows[kept], self._scores[kept]

    def _ranks(self) -> Ids:
        """The rank of each collected row among those of its query, from 0; they must be in order."""
        return np.arange(len(self._queries)) - np.searchsorted(self._queries, self._queries)

    def ranked(self) -> tuple[NDArray[Any], Ids]:
        """Scores (queries, k) and rows (queries, k), best first, filled up with minus infinity and -1."""
        self._drop_the_rest()
        shape = (len(self._floors), self._k)
        scores, rows = np.full(shape, -np.inf, dtype=self._scores.dtype), np.full(shape, NO_ROW, dtype=np.int64)
        ranks = self._ranks()
        scores[self._queries, ranks], rows[self._queries, ranks] = self._scores, self._rows
        return scores, rows


def _lower_bounds(scores: NDArray[Any], k: int) -> NDArray[Any]:
    """For each query, a bound that at least ``k`` of ``scores`` (queries, n) exceed; minus infinity where n is small.

    Scores are divided into groups: at least k scores reach the k-th largest of the groups' maxima.
    """
    queries, rows = scores.shape
    size = rows // (2 * k)
    if size < 2:
        return np.full(queries, -np.inf, dtype=scores.dtype)
    maxima = np.fmax.reduce(scores[:, : 2 * k * size].reshape(queries, 2 * k, size), axis=2)
    maxima[np.isnan(maxima)] = -np.inf
    return np.nextafter(np.partition(maxima, k, axis=1)[:, k], -np.inf, dtype=scores.dtype)


def hide(scores: Floats, allowed: Allowed | None, start: int) -> Floats:
    """``scores`` (queries, n) of the rows from ``start`` on, with minus infinity for rows that are not allowed."""
    if allowed is not None:
        hidden = ~allowed[start : start + scores.shape[1]]
        if hidden.any():
            scores = np.where(hidden, np.float32(-np.inf), scores)
    return scores
