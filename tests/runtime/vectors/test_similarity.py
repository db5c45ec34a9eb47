"""Similarities against loops over pairs in double precision."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.vectors.similarity import SimilarityFunction, pairwise_angle_sim

generator = np.random.default_rng(3)
A, B = generator.standard_normal((4, 6)).astype(np.float32), generator.standard_normal((3, 6)).astype(np.float32)
A[1] = 0
Vector = Any
BY_HAND: dict[str, Callable[[Vector, Vector], float]] = {
    "cosine": lambda a, b: float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) if a.any() and b.any() else 0.0,
    "dot": lambda a, b: float(a @ b),
    "euclidean": lambda a, b: -math.dist(a, b),
    "manhattan": lambda a, b: -float(np.abs(a - b).sum()),
}
names = pytest.mark.parametrize("name", BY_HAND)


def every_pair(name: str, a: Any, b: Any) -> list[list[float]]:
    return [[BY_HAND[name](row.astype(np.float64), other.astype(np.float64)) for other in b] for row in a]


def test_every_function_is_tested() -> None:
    assert SimilarityFunction.possible_values() == [*BY_HAND, "maxsim", "meanmaxsim"]
    assert SimilarityFunction("dot") is SimilarityFunction.DOT is SimilarityFunction.DOT_PRODUCT


@names
def test_every_pair(name: str) -> None:
    found = SimilarityFunction.to_similarity_fn(name)(A, B)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, every_pair(name, A, B), rtol=1e-5, atol=1e-6)


@names
def test_row_by_row(name: str) -> None:
    found = SimilarityFunction.to_similarity_pairwise_fn(SimilarityFunction(name))(A[:3], B)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.diagonal(every_pair(name, A[:3], B)), rtol=1e-5, atol=1e-6)


@names
def test_one_vector_is_one_row(name: str) -> None:
    every, rows = SimilarityFunction.to_similarity_fn(name), SimilarityFunction.to_similarity_pairwise_fn(name)
    np.testing.assert_allclose(every(A[0], B), every(A[:1], B), rtol=1e-5)
    np.testing.assert_allclose(rows(A[0], B[:1]), every(A[0], B[0])[0], rtol=1e-5)
    alone = rows(A[0], B[0])
    assert np.ndim(alone) == 0
    assert float(alone) == pytest.approx(float(every(A[0], B[0])[0, 0]), rel=1e-5)


@names
def test_a_single_row_meets_all_others(name: str) -> None:
    every, rows = SimilarityFunction.to_similarity_fn(name), SimilarityFunction.to_similarity_pairwise_fn(name)
    np.testing.assert_allclose(rows(A[0], B), every(A[0], B)[0], rtol=1e-5)
    np.testing.assert_allclose(rows(A, B[:1]), every(A, B[:1])[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("width", [6, 5, 1])
def test_angles_are_those_of_complex_numbers(width: int) -> None:
    x, y = (np.pad(rows[:3, :width], ((0, 0), (0, width % 2))).astype(np.float64) for rows in (A, B))
    half = x.shape[1] // 2
    products = ((x[:, :half] + 1j * x[:, half:]) * np.conj(y[:, :half] + 1j * y[:, half:])).sum(axis=1)
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    expected = np.abs(products.real + products.imag) / np.where(lengths == 0, 1, lengths)
    found = pairwise_angle_sim(A[:3, :width], B[:, :width])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.ndim(pairwise_angle_sim(A[0], B[0])) == 0


@names
@pytest.mark.parametrize(
    ("dtype", "result"), [(np.float64, np.float64), (np.float16, np.float32), (np.int8, np.float32)]
)
def test_dtypes(name: str, dtype: Any, result: Any) -> None:
    a, b = (A * 100).astype(dtype), (B * 100).astype(dtype)
    found = SimilarityFunction.to_similarity_fn(name)(a, b)
    assert found.dtype == result
    np.testing.assert_allclose(found, every_pair(name, a, b), rtol=1e-5, atol=1e-5)


def test_lists_and_what_converts_itself_to_an_array() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return B

    every = SimilarityFunction.to_similarity_fn("cosine")
    np.testing.assert_array_equal(every(list(A), Tensor()), every(A, B))  # type: ignore[arg-type]


def test_no_rows() -> None:
    for name in BY_HAND:
        assert SimilarityFunction.to_similarity_fn(name)(A[:0], B).shape == (0, 3)


def test_what_is_refused() -> None:
    every, rows = SimilarityFunction.to_similarity_fn("dot"), SimilarityFunction.to_similarity_pairwise_fn("dot")
    with pytest.raises(InputError, match=r"embeddings of 6 and 5 dimensions"):
        every(A, B[:, :5])
    with pytest.raises(InputError, match=r"4 and 3 embeddings"):
        rows(A, B)
    with pytest.raises(InputError, match=r"shape \(1, 4, 6\); expected \(n, dim\)"):
        every(A[None], B)
    with pytest.raises(OptionError, match=r"'hamming' is not known; expected one of 'cosine', 'dot', 'euclidean'"):
        SimilarityFunction.to_similarity_fn("hamming")
