"""Similarity of embeddings: of every pair, or row by row. Source: sentence-transformers' ``util.similarity``.

All functions take arrays (n, dim) or (dim,), lists of vectors, or objects with ``__array__`` such as torch tensors.
Integers are computed as float32; float64 stays float64. Distances are negated, so that larger means more similar. The
``pairwise_`` functions compare row i with row i; a single row is compared with every row of the other side. All raise
InputError for different widths, the ``pairwise_`` ones also for different numbers of rows.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, OptionError
from .dense import as_matrix, normalize
from .maxsim import maxsim, maxsim_pairwise, mean_maxsim, mean_maxsim_pairwise

Similarity: TypeAlias = Callable[[Any, Any], NDArray[Any]]


def cos_sim(a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
    """Cosine of every row of ``a`` (n, dim) with every row of ``b`` (m, dim): (n, m); 0 for a zero vector."""
    first, second = _matrices(a, b)
    return normalize(first) @ normalize(second).T


def dot_score(a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
    """Dot product of every row of ``a`` (n, dim) with every row of ``b`` (m, dim): (n, m)."""
    first, second = _matrices(a, b)
    return first @ second.T


def euclidean_sim(a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
    """Minus the Euclidean distance of every row of ``a`` (n, dim) to every row of ``b`` (m, dim): (n, m)."""
    return _row_by_row(a, b, lambda row, other: -np.sqrt(((other - row) ** 2).sum(axis=1)))


def manhattan_sim(a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
    """Minus the Manhattan distance of every row of ``a`` (n, dim) to every row of ``b`` (m, dim): (n, m)."""
    return _row_by_row(a, b, lambda row, other: -np.abs(other - row).sum(axis=1))


def pairwise_cos_sim(a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
    """Cosine of ``a[i]`` with ``b[i]``: (n,)."""
    return _pairwise(a, b, lambda first, second: np.einsum("nd,nd->n", normalize(first), normalize(second)))


def pairwise_dot_score(a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
    """Dot product of ``a[i]`` with ``b[i]``: (n,)."""
    return _pairwise(a, b, lambda first, second: np.einsum("nd,nd->n", first, second))


def pairwise_euclidean_sim(a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
    """Minus the Euclidean distance of ``a[i]`` to ``b[i]``: (n,)."""
    return _pairwise(a, b, lambda first, second: -np.sqrt(((first - second) ** 2).sum(axis=1)))


def pairwise_manhattan_sim(a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
    """Minus the Manhattan distance of ``a[i]`` to ``b[i]``: (n,)."""
    return _pairwise(a, b, lambda first, second: -np.abs(first - second).sum(axis=1))


def pairwise_angle_sim(x: ArrayLike, y: ArrayLike) -> NDArray[Any]:
    """Similarity of the angles of ``x[i]`` and ``y[i]`` in the complex plane: (n,), from 0 to about 1.41.

    The first half of a vector are the real parts, the second half the imaginary parts; an odd width is padded with a
    zero. 0 for a zero vector. Source: Li and Li, AnglE-optimized Text Embeddings (2023).
    """
    return _pairwise(x, y, _angles)


class SimilarityFunction(Enum):
    """The names of the similarity functions, as sentence-transformers' class of this name."""

    COSINE = "cosine"
    DOT_PRODUCT = "dot"
    DOT = "dot"  # noqa: PIE796 - an alias, as in sentence-transformers
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"
    MAXSIM = "maxsim"
    MEAN_MAXSIM = "meanmaxsim"

    @staticmethod
    def to_similarity_fn(similarity_function: "str | SimilarityFunction") -> Similarity:
        """The function that compares every pair; raises OptionError for an unknown name."""
        return _ALL[parse_similarity(similarity_function, _ALL)][0]

    @staticmethod
    def to_similarity_pairwise_fn(similarity_function: "str | SimilarityFunction") -> Similarity:
        """The function that compares row by row; raises OptionError for an unknown name."""
        return _ALL[parse_similarity(similarity_function, _ALL)][1]

    @staticmethod
    def possible_values() -> list[str]:
        """The names that `to_similarity_fn` takes."""
        return [function.value for function in SimilarityFunction]


#: for each name, the function that compares every pair and the one that compares row by row; of single vectors
SimilarityFunctions: TypeAlias = Mapping[SimilarityFunction, tuple[Similarity, Similarity]]
FUNCTIONS: SimilarityFunctions = {
    SimilarityFunction.COSINE: (cos_sim, pairwise_cos_sim),
    SimilarityFunction.DOT_PRODUCT: (dot_score, pairwise_dot_score),
    SimilarityFunction.EUCLIDEAN: (euclidean_sim, pairwise_euclidean_sim),
    SimilarityFunction.MANHATTAN: (manhattan_sim, pairwise_manhattan_sim),
}
#: the same for token vectors
TOKEN_FUNCTIONS: SimilarityFunctions = {
    SimilarityFunction.MAXSIM: (maxsim, maxsim_pairwise),
    SimilarityFunction.MEAN_MAXSIM: (mean_maxsim, mean_maxsim_pairwise),
}
_ALL: SimilarityFunctions = {**FUNCTIONS, **TOKEN_FUNCTIONS}


def parse_similarity(name: str | SimilarityFunction, known: SimilarityFunctions = FUNCTIONS) -> SimilarityFunction:
    """The one of the ``known`` functions that is called ``name``; raises OptionError for another one."""
    found = next((function for function in known if name in (function, function.value)), None)
    if found is None:
        names = ", ".join(repr(function.value) for function in known)
        raise OptionError(f"similarity function {name!r} is not known; expected one of {names}")
    return found


def _matrices(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    first, second = as_matrix(a), as_matrix(b)
    if first.shape[1] != second.shape[1]:
        raise InputError(f"embeddings of {first.shape[1]} and {second.shape[1]} dimensions; expected the same width")
    return first, second


def _rows(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    first, second = _matrices(a, b)
    if len(first) != len(second) and 1 not in (len(first), len(second)):
        raise InputError(f"{len(first)} and {len(second)} embeddings; pairwise scores need equally many on both sides")
    return first, second


def _pairwise(a: ArrayLike, b: ArrayLike, score: Similarity) -> NDArray[Any]:
    """The scores (n,) row by row; a NumPy scalar for two single vectors (dim,)."""
    scores = score(*_rows(a, b))
    return scores[0] if np.ndim(a) == np.ndim(b) == 1 else scores


def _angles(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    odd = ((0, 0), (0, x.shape[1] % 2))
    first, second = normalize(np.pad(x, odd)), normalize(np.pad(y, odd))
    (a, b), (c, d) = np.split(first, 2, axis=1), np.split(second, 2, axis=1)
    return np.abs((a * c + b * d + b * c - a * d).sum(axis=1))


def _row_by_row(
    a: ArrayLike, b: ArrayLike, score: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
) -> NDArray[Any]:
    first, second = _matrices(a, b)
    scores = np.empty((len(first), len(second)), dtype=np.result_type(first, second))
    for index, row in enumerate(first):
        scores[index] = score(row, second)
    return scores
