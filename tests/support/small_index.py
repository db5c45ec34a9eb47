"""Sparse documents and queries whose scores are exact, and an inverted index of them checked by the dense product."""

import numpy as np

from edge_st_runtime.store.sparse.inverted import InvertedIndex
from edge_st_runtime.vectors.sparse import SparseMatrix

DIM = 30
_generator = np.random.default_rng(11)


def some(rows: int) -> SparseMatrix:
    """Whole numbers, some negative, so that many scores are equal and no sum is rounded."""
    dense = _generator.integers(-2, 4, (rows, DIM)) * (_generator.random((rows, DIM)) < 0.15)
    dense[::7] = 0
    return SparseMatrix.from_dense(dense)


DOCUMENTS, QUERIES = some(120), some(20)


def filled(documents: SparseMatrix = DOCUMENTS) -> InvertedIndex:
    index = InvertedIndex(DIM)
    index.add(documents)
    return index


def check(index: InvertedIndex, documents: SparseMatrix = DOCUMENTS) -> None:
    """Compare the results with those of the dense product."""
    assert len(index) == len(documents)
    expected = QUERIES.to_dense() @ documents.to_dense().T
    for top_k in (1, 10, 1000):
        scores, ids = index.search(QUERIES, top_k)
        assert (scores.dtype, ids.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(ids, np.argsort(-expected, axis=1, kind="stable")[:, :top_k])
        np.testing.assert_array_equal(scores, np.take_along_axis(expected, ids, axis=1))
