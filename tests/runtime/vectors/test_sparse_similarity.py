"""Similarities of sparse embeddings against those of the same embeddings in dense arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import InputError
from edge_st_runtime.vectors import similarity, sparse_similarity
from edge_st_runtime.vectors.sparse import SparseMatrix

NAMES = ["cos_sim", "dot_score", "euclidean_sim", "manhattan_sim"]
generator = np.random.default_rng(9)


def some(rows: int, dim: int = 23) -> Any:
    dense = generator.standard_normal((rows, dim)).astype(np.float32) * (generator.random((rows, dim)) < 0.3)
    dense[::4] = 0
    return dense


A, B = some(8), some(13)
B[5] = A[2]


def as_it_is(dense: Any) -> Any:
    return dense


FORMS = [(SparseMatrix.from_dense, SparseMatrix.from_dense), (SparseMatrix.from_dense, as_it_is)]
FORMS += [(as_it_is, SparseMatrix.from_dense), (np.ndarray.tolist, SparseMatrix.from_dense), (as_it_is, as_it_is)]


def check(found: Any, expected: Any) -> None:
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize("at_once", [1, 20, 1_000_000])
def test_every_pair(
    monkeypatch: pytest.MonkeyPatch, at_once: int, forms: tuple[Callable[..., Any], Callable[..., Any]], name: str
) -> None:
    monkeypatch.setattr(sparse_similarity, "_VALUES_AT_ONCE", at_once)
    expected, found = getattr(similarity, name), getattr(sparse_similarity, name)
    for rows, others in ((8, 13), (1, 13), (8, 1)):
        check(found(forms[0](A[:rows]), forms[1](B[:others])), expected(A[:rows], B[:others]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize("at_once", [1, 50, 1_000_000])
def test_row_by_row(
    monkeypatch: pytest.MonkeyPatch, at_once: int, forms: tuple[Callable[..., Any], Callable[..., Any]], name: str
) -> None:
    monkeypatch.setattr(sparse_similarity, "_VALUES_AT_ONCE", at_once)
    expected, found = (getattr(module, f"pairwise_{name}") for module in (similarity, sparse_similarity))
    for rows in (8, 1):
        check(found(forms[0](A[:rows]), forms[1](B[:rows])), expected(A[:rows], B[:rows]))


@pytest.mark.parametrize("name", NAMES)
def test_nothing(name: str) -> None:
    nothing, some = SparseMatrix.from_rows([], 23), SparseMatrix.from_dense(A)
    for a, b in ((nothing, some), (nothing, A), (A[:0], some)):
        assert getattr(sparse_similarity, name)(a, b).shape == (0, 8)
        assert getattr(sparse_similarity, name)(b, a).shape == (8, 0)
    assert getattr(sparse_similarity, f"pairwise_{name}")(nothing, nothing).shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_single_vectors(name: str) -> None:
    vector, matrix = SparseMatrix.from_dense(A)[1], SparseMatrix.from_dense(B)
    expected, found = getattr(similarity, name), getattr(sparse_similarity, name)
    check(found(vector, matrix), expected(A[1], B))
    check(found(matrix, vector), expected(B, A[1]))
    check(found(vector, B[1]), expected(A[1], B[1]))


def test_the_same_vector_is_at_distance_0() -> None:
    matrix = SparseMatrix.from_dense(1000 * A)
    assert np.diag(sparse_similarity.euclidean_sim(matrix, matrix)).tolist() == [0.0] * 8
    assert np.diag(sparse_similarity.manhattan_sim(matrix, matrix)).tolist() == [0.0] * 8


def test_values_that_vanish_when_divided() -> None:
    far = SparseMatrix.from_dense([[1e20, 1e-30]])
    assert sparse_similarity.cos_sim(far, far).tolist() == [[1.0]]


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit(name: str) -> None:
    matrix = SparseMatrix.from_dense(A)
    with pytest.raises(InputError, match="23 and 22 dimensions"):
        getattr(sparse_similarity, name)(matrix, B[:, :22])
    with pytest.raises(InputError, match=r"shape \(1, 8, 23\)"):
        getattr(sparse_similarity, name)(A[None], matrix)
    with pytest.raises(InputError, match="8 and 13 embeddings"):
        getattr(sparse_similarity, f"pairwise_{name}")(matrix, B)
