"""Postings: which documents contain a term, and its weight in each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats


@dataclass(frozen=True, eq=False, slots=True)
class Postings:
    """The terms of n documents, sorted by term.

    Term t occurs in ``documents[indptr[t]:indptr[t + 1]]``, in ascending order, with the same slice of ``weights``.
    ``indptr`` is (terms + 1,) int64, ``documents`` (nnz,) int32 from 0, ``weights`` (nnz,) float32. ``lengths`` (n,)
    float32 are the sums of each document's weights. Where terms are words, ``words`` are those that are new in this
    segment, the last of the terms.
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
        """Number of terms, including those that no document contains."""
        return len(self.indptr) - 1

    def of(self, term: int) -> slice:
        """The slice of ``documents`` and ``weights`` for ``term``; empty for a term of a later segment."""
        return slice(self.indptr[term], self.indptr[term + 1]) if term < self.terms else slice(0, 0)


def sort_postings(
    terms: NDArray[np.integer],
    documents: NDArray[np.integer],
    weights: Floats,
    shape: tuple[int, int],
    words: Sequence[str] = (),
) -> Postings:
    """Postings of the entries (nnz,), in which the documents of each term ascend; ``shape`` is (documents, terms)."""
    small = terms.astype(np.uint16) if shape[1] <= 2**16 else terms  # NumPy sorts these by radix, much faster
    order = np.argsort(small, kind="stable")
    indptr = np.concatenate(([0], np.cumsum(np.bincount(terms, minlength=shape[1]))))
    lengths = np.bincount(documents, weights, minlength=shape[0]).astype(np.float32)
    return Postings(indptr, documents[order].astype(np.int32), weights[order], lengths, tuple(words))


def join(parts: Sequence[Postings]) -> Postings:
    """One for several postings, at least one: the documents of each part follow those of the part before."""
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
