"""Sparse vectors and matrices against the dense arrays that they stand for."""

import pickle
import sys
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import InputError, OptionError, PackageMissingError
from edge_st_runtime.vectors.sparse import SparseMatrix, SparseVector, select_max_active_dims

generator = np.random.default_rng(8)
DENSE = generator.standard_normal((9, 17)).astype(np.float32) * (generator.random((9, 17)) < 0.3)
DENSE[[0, 4, 8]] = 0
MATRIX = SparseMatrix.from_dense(DENSE)


def vector(indices: Any, values: Any) -> SparseVector:
    return SparseVector(indices, values, 3)


def matrix(indptr: Any, indices: Any, values: Any) -> SparseMatrix:
    return SparseMatrix(indptr, indices, values, 3)


def test_dense_and_back() -> None:
    assert (MATRIX.indptr.dtype, MATRIX.indices.dtype, MATRIX.values.dtype) == (np.int64, np.int32, np.float32)
    assert (MATRIX.shape, MATRIX.ndim, len(MATRIX), MATRIX.nnz) == ((9, 17), 2, 9, np.count_nonzero(DENSE))
    assert repr(MATRIX) == f"SparseMatrix(shape=(9, 17), nnz={MATRIX.nnz})"
    np.testing.assert_array_equal(MATRIX.to_dense(), DENSE)
    np.testing.assert_array_equal(np.asarray(MATRIX), DENSE)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(MATRIX)), DENSE)
    assert np.asarray(MATRIX, dtype=np.float64).dtype == np.float64
    np.testing.assert_array_equal(SparseMatrix.from_dense(DENSE.tolist()), DENSE)


def test_rows() -> None:
    for row, expected in zip(MATRIX, DENSE, strict=True):
        assert (row.shape, row.ndim, len(row), row.nnz) == ((17,), 1, 17, np.count_nonzero(expected))
        np.testing.assert_array_equal(np.asarray(row), expected)
        assert row.to_dict() == {place: float(value) for place, value in enumerate(expected) if value}
        assert all((type(place), type(value)) == (int, float) for place, value in row.to_dict().items())
    assert repr(MATRIX[0]) == "SparseVector(shape=(17,), nnz=0)"
    assert MATRIX.to_dicts() == [row.to_dict() for row in MATRIX]
    assert np.shares_memory(MATRIX[1].values, MATRIX.values)


@pytest.mark.parametrize("place", [1, -1, -9, np.int64(3)])
def test_one_row(place: int) -> None:
    np.testing.assert_array_equal(MATRIX[place].to_dense(), DENSE[place])


@pytest.mark.parametrize(
    "key",
    [slice(None), slice(2, 6), slice(6, 2), slice(None, None, -2), slice(-3, 100), [3, 3, -1, 0], [], DENSE[:, 1] > -1],
    ids=str,
)
def test_some_rows(key: Any) -> None:
    assert isinstance(MATRIX[key], SparseMatrix)
    np.testing.assert_array_equal(MATRIX[key].to_dense(), DENSE[key])
    np.testing.assert_array_equal(MATRIX[key][:2].to_dense(), DENSE[key][:2])


@pytest.mark.parametrize("key", [9, -10, [9], (0, 0), [True] * 8, [[0]], 1.5, "a"], ids=str)
def test_no_rows(key: Any) -> None:
    with pytest.raises((IndexError, TypeError)):
        _ = MATRIX[key]


def test_a_slice_shares_memory() -> None:
    assert np.shares_memory(MATRIX[1:4].values, MATRIX.values)


@pytest.mark.parametrize("rows", [0, 1, 9])
def test_put_together(rows: int) -> None:
    np.testing.assert_array_equal(SparseMatrix.from_rows(list(MATRIX[:rows]), 17).to_dense(), DENSE[:rows])
    both = SparseMatrix.concatenate([MATRIX[:rows], MATRIX[:0], MATRIX[rows:]])
    np.testing.assert_array_equal(both.to_dense(), DENSE)


def test_nothing() -> None:
    assert SparseMatrix.from_dense(np.zeros((0, 5))).shape == (0, 5)
    assert SparseMatrix.from_dense(np.zeros((3, 0))).to_dense().shape == (3, 0)
    assert list(SparseMatrix.from_rows([], 5)) == []
    with pytest.raises(InputError, match=r"no matrices.*SparseMatrix.from_rows\(\[\], dim\)"):
        SparseMatrix.concatenate([])


def test_arrays_cannot_be_written_to_and_the_callers_can() -> None:
    values = np.ones(2, dtype=np.float32)
    ours = vector([0, 1], values)
    for array in (ours.indices, ours.values, MATRIX.indptr, MATRIX[1:3].indices, MATRIX[[1, 3]].values):
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 0
    values[0] = 3
    ours.to_dense()[0] = 4
    assert ours.to_dict() == {0: 3.0, 1: 1.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: vector([1, 1], [1, 1]), "do not ascend"),
        (lambda: vector([2, 1], [1, 1]), "do not ascend"),
        (lambda: vector([3], [1]), "from 3 to 3; expected 0 to 2"),
        (lambda: vector([-1], [1]), "from -1 to -1; expected 0 to 2"),
        (lambda: vector([1], [0]), "1 of the values are 0"),
        (lambda: vector([1, 2], [1]), r"shape \(2,\), values of shape \(1,\)"),
        (lambda: matrix([0, 1, 3], [2, 2, 1], [1, 1, 1]), "do not ascend"),
        (lambda: matrix([0, 2], [0, 1, 2], [1, 1, 1]), "indptr of 2 entries for 3"),
        (lambda: matrix([0, 2, 1, 3], [0, 1, 2], [1, 1, 1]), "indptr of 4 entries"),
        (lambda: matrix([], [], []), "indptr of 0 entries"),
        (lambda: SparseMatrix.from_dense(DENSE[0]), r"shape \(17,\); expected \(n, dim\)"),
        (lambda: SparseMatrix.from_rows(list(MATRIX), 16), "embeddings 0 have 17 dimensions; expected 16"),
        (lambda: SparseMatrix.concatenate([MATRIX, SparseMatrix.from_rows([], 3)]), "embeddings 1 have 3"),
        (lambda: MATRIX.__array__(copy=False), "no dense array, so a copy is needed"),
    ],
)
def test_what_is_no_sparse_embedding(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_scipy() -> None:
    pytest.importorskip("scipy")
    array = MATRIX.to_scipy()
    np.testing.assert_array_equal(array.toarray(), DENSE)
    array.data[:] = 1
    np.testing.assert_array_equal(MATRIX.to_dense(), DENSE)


def test_no_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(PackageMissingError, match="pip install scipy"):
        MATRIX.to_scipy()


@pytest.mark.parametrize("most", [1, 2, 5, 17, 100])
def test_largest_values(most: int) -> None:
    dense = np.round(DENSE)
    dense[3] = [(-1) ** place for place in range(17)]
    expected = np.zeros_like(dense)
    kept = np.argsort(-np.abs(dense), axis=1, kind="stable")[:, :most]
    np.put_along_axis(expected, kept, np.take_along_axis(dense, kept, axis=1), axis=1)
    whole = SparseMatrix.from_dense(dense)
    np.testing.assert_array_equal(select_max_active_dims(whole, most).to_dense(), expected)
    for row, expected_row in zip(whole, expected, strict=True):
        np.testing.assert_array_equal(select_max_active_dims(row, most).to_dense(), expected_row)


def test_all_values_or_a_wrong_number_of_them() -> None:
    assert select_max_active_dims(MATRIX, None) is MATRIX
    assert select_max_active_dims(MATRIX[:0], 1).shape == (0, 17)
    for most in (0, -1):
        with pytest.raises(OptionError, match=f"max_active_dims is {most}; expected at least 1"):
            select_max_active_dims(MATRIX, most)


def test_frozen_after_a_copy() -> None:
    matrix = pickle.loads(pickle.dumps(SparseMatrix.from_dense(np.eye(3))))
    for array in (matrix.values, matrix.indices, matrix.indptr, matrix[0].values):
        assert not array.flags.writeable
    assert not deepcopy(matrix[1]).values.flags.writeable


@pytest.mark.parametrize(
    ("indices", "dim"), [([2**32 + 1], 5), ([0.7], 5), ([], -3)], ids=["beyond int32", "fraction", "negative dim"]
)
def test_indices_that_are_none(indices: list[Any], dim: int) -> None:
    with pytest.raises(InputError, match="expected"):
        SparseVector(np.array(indices), np.ones(len(indices), dtype=np.float32), dim)


def test_rows_of_a_generator() -> None:
    matrix = SparseMatrix.from_dense(np.eye(3))
    assert len(SparseMatrix.from_rows((row for row in matrix), 3)) == 3
