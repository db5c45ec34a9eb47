"""Postings: which documents hold a term, and how much of it; and the best of the scores that they add up to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ids
from ...checks import check_count
from ...errors import DamagedFileError


@dataclass(frozen=True, eq=False, slots=True)
class Postings:
    """The terms of n documents, sorted by term.

    Term t is in ``documents[indptr[t]:indptr[t + 1]]``, ascending, with the same part of ``weights``. ``indptr`` is
    (terms + 1,) int64, ``documents`` (nnz,) int32 from 0, ``weights`` (nnz,) float32, ``lengths`` (n,) float32 the sum
    of each document's weights. ``words`` names the last of the terms, where terms are words.
    """

    indptr: NDArray[np.int64]
    documents: NDArray[np.int32]
    weights: Floats
    lengths: Floats
    words: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def terms(self) -> int:
        """Number of terms, those that no document holds among them."""
        return len(self.indptr) - 1

    def of(self, term: int) -> slice:
        """Where ``term`` is in ``documents`` and ``weights``; nowhere for a term that came later."""
        return slice(self.indptr[term], self.indptr[term + 1]) if term < self.terms else slice(0, 0)


def sort_postings(
    terms: NDArray[np.integer],
    documents: NDArray[np.integer],
    weights: Floats,
    shape: tuple[int, int],
    words: Sequence[str] = (),
) -> Postings:
    """Postings of entries (nnz,) where each term's documents ascend; ``shape`` is (documents, terms)."""
    small = terms.astype(np.uint16) if shape[1] <= 2**16 else terms  # NumPy sorts these by radix, much faster
    order = np.argsort(small, kind="stable")
    indptr = np.concatenate(([0], np.cumsum(np.bincount(terms, minlength=shape[1]))))
    lengths = np.bincount(documents, weights, minlength=shape[0]).astype(np.float32)
    return Postings(indptr, documents[order].astype(np.int32), weights[order], lengths, tuple(words))


def join(parts: Sequence[Postings]) -> Postings:
    """The postings of all ``parts``, at least one, whose documents follow one another, over the terms of the last."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *map(len, parts)])
    columns = [np.repeat(np.arange(part.terms), np.diff(part.indptr)) for part in parts]
    documents = [part.documents + np.int32(start) for part, start in zip(parts, starts[:-1], strict=True)]
    words = [word for part in parts for word in part.words]
    weights = np.concatenate([part.weights for part in parts])
    return sort_postings(
        np.concatenate(columns), np.concatenate(documents), weights, (starts[-1], parts[-1].terms), words
    )


def best(scores: Floats, k: int) -> Ids:
    """Positions (min(k, n),) of the largest of ``scores`` (n,), largest first, equal ones by position."""
    chosen = np.arange(len(scores))
    if k < len(scores):
        least = np.partition(scores, -k)[-k]
        above = np.flatnonzero(scores > least)
        level = np.flatnonzero(scores == least)[: k - len(above)]
        chosen = np.sort(np.concatenate((above, level)))
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def best_of_each(scores: Iterable[Floats], queries: int, documents: int, k: int) -> tuple[Floats, Ids]:
    """Scores (queries, min(k, documents)) and positions of the `best` of each of ``scores``, one query at a time.

    Raises OptionError for ``k`` below 1, DamagedFileError where ``scores`` meet a document that is not there.
    """
    check_count("top_k", k)
    shape = (queries, min(k, documents))
    values, ids = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.int64)
    try:
        for place, row in enumerate(scores):
            ids[place] = best(row, k)
            values[place] = row[ids[place]]
    except IndexError as error:
        raise DamagedFileError(
            f"the index names a document that it does not hold ({error}); see which file is damaged with: verify()"
        ) from error
    return values, ids
