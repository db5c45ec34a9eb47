"""The inverted index against the dense dot product."""

import numpy as np
import pytest

from edge_st_runtime.errors import InputError, InputTypeError, OptionError
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from edge_st_runtime.vectors.sparse import SparseMatrix
from tests.support.small_index import DIM, DOCUMENTS, QUERIES, check, filled


@pytest.mark.parametrize("step", [1, 17, 120])
def test_as_the_dense_product(step: int) -> None:
    index = InvertedIndex(DIM)
    for start in range(0, 120, step):
        index.add(DOCUMENTS[start : start + step])
    check(index)
    index.merge()
    check(index)


def test_real_weights_of_a_wide_vocabulary() -> None:
    generator = np.random.default_rng(12)
    dense = generator.standard_normal((40, 70_000)).astype(np.float32) * (generator.random((40, 70_000)) < 0.01)
    index = InvertedIndex(70_000)
    index.add(SparseMatrix.from_dense(dense))
    scores, ids = index.search(SparseMatrix.from_dense(dense[:3]), 40)
    np.testing.assert_allclose(scores, np.take_along_axis(dense[:3] @ dense.T, ids, axis=1), rtol=1e-5, atol=1e-4)


def test_single_vectors() -> None:
    index = InvertedIndex(DIM)
    for row in DOCUMENTS:
        index.add(row)
    check(index)
    for found, expected in zip(index.search(QUERIES[3], 4), index.search(QUERIES, 4), strict=True):
        np.testing.assert_array_equal(found, expected[3:4])


def test_nothing_to_search() -> None:
    index = InvertedIndex(DIM)
    index.add(DOCUMENTS[:0])
    assert [found.shape for found in index.search(QUERIES)] == [(20, 0)] * 2
    assert [found.shape for found in filled().search(QUERIES[:0], 3)] == [(0, 3)] * 2
    check(filled(DOCUMENTS[[0, 7, 14]]), DOCUMENTS[[0, 7, 14]])


@pytest.mark.parametrize("method", ["add", "search"])
def test_embeddings_that_do_not_fit(method: str) -> None:
    call = getattr(filled(), method)
    with pytest.raises(InputError, match="3 dimensions; this index holds 30"):
        call(SparseMatrix.from_dense([[1, 2, 3]]))
    with pytest.raises(InputError, match="hold NaN or an infinity"):
        call(SparseMatrix.from_dense([[np.nan] * DIM]))
    with pytest.raises(InputTypeError, match=r"ndarray .*; expected a SparseMatrix"):
        call(QUERIES.to_dense())


def test_numbers_below_one() -> None:
    with pytest.raises(OptionError, match="top_k must be a positive integer, got 0"):
        filled().search(QUERIES, 0)
    with pytest.raises(OptionError, match="dim must be a positive integer, got 0"):
        InvertedIndex(0)
