"""Similarity of sparse embeddings with sparse or dense ones: of every pair, or row by row.

The functions are those of `edge_st_runtime.vectors.similarity` and give the same results as float32. They take
SparseVector, SparseMatrix and dense arrays (n, dim) or (dim,), in any combination. Sums are computed in float64 over
the nonzero values; only a few rows of one side are dense at a time. All raise InputError for different widths, the
``pairwise_`` ones also for different numbers of rows.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Floats
from ..errors import InputError
from . import similarity
from .similarity import SimilarityFunction, SimilarityFunctions
from .sparse import SparseMatrix, SparseVector

Embeddings: TypeAlias = SparseVector | SparseMatrix | ArrayLike
_Matrix: TypeAlias = SparseMatrix | NDArray[Any]
_Term: TypeAlias = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
_VALUES_AT_ONCE = 1_000_000


def cos_sim(a: Embeddings, b: Embeddings) -> Floats:
    """Cosine of every row of ``a`` (n, dim) with every row of ``b`` (m, dim): (n, m); 0 for a zero vector."""
    first, second = _matrices(a, b)
    lengths = _lengths(first)[:, None] * _lengths(second)
    return (_every_pair(first, second, np.multiply) / lengths).astype(np.float32)


def dot_score(a: Embeddings, b: Embeddings) -> Floats:
    """Dot product of every row of ``a`` (n, dim) with every row of ``b`` (m, dim): (n, m)."""
    return _every_pair(*_matrices(a, b), np.multiply).astype(np.float32)


def euclidean_sim(a: Embeddings, b: Embeddings) -> Floats:
    """Minus the Euclidean distance of every row of ``a`` (n, dim) to every row of ``b`` (m, dim): (n, m)."""
    squares = _every_pair(*_matrices(a, b), lambda x, y: (x - y) ** 2)
    return -np.sqrt(np.maximum(squares, 0)).astype(np.float32)


def manhattan_sim(a: Embeddings, b: Embeddings) -> Floats:
    """Minus the Manhattan distance of every row of ``a`` (n, dim) to every row of ``b`` (m, dim): (n, m)."""
    return -_every_pair(*_matrices(a, b), lambda x, y: np.abs(x - y)).astype(np.float32)


def pairwise_cos_sim(a: Embeddings, b: Embeddings) -> Floats:
    """Cosine of ``a[i]`` with ``b[i]``: (n,); 0 for a zero vector."""
    return _row_by_row(a, b, similarity.pairwise_cos_sim)


def pairwise_dot_score(a: Embeddings, b: Embeddings) -> Floats:
    """Dot product of ``a[i]`` with ``b[i]``: (n,)."""
    return _row_by_row(a, b, similarity.pairwise_dot_score)


def pairwise_euclidean_sim(a: Embeddings, b: Embeddings) -> Floats:
    """Minus the Euclidean distance of ``a[i]`` to ``b[i]``: (n,)."""
    return _row_by_row(a, b, similarity.pairwise_euclidean_sim)


def pairwise_manhattan_sim(a: Embeddings, b: Embeddings) -> Floats:
    """Minus the Manhattan distance of ``a[i]`` to ``b[i]``: (n,)."""
    return _row_by_row(a, b, similarity.pairwise_manhattan_sim)


FUNCTIONS: SimilarityFunctions = {
    SimilarityFunction.COSINE: (cos_sim, pairwise_cos_sim),
    SimilarityFunction.DOT_PRODUCT: (dot_score, pairwise_dot_score),
    SimilarityFunction.EUCLIDEAN: (euclidean_sim, pairwise_euclidean_sim),
    SimilarityFunction.MANHATTAN: (manhattan_sim, pairwise_manhattan_sim),
}


def _matrices(a: Embeddings, b: Embeddings) -> tuple[_Matrix, _Matrix]:
    first, second = _matrix(a), _matrix(b)
    if first.shape[1] != second.shape[1]:
        raise InputError(f"embeddings of {first.shape[1]} and {second.shape[1]} dimensions; expected the same width")
    return first, second


def _matrix(values: Embeddings) -> _Matrix:
    if isinstance(values, SparseMatrix):
        return values
    if isinstance(values, SparseVector):
        return SparseMatrix.from_rows([values], values.dim)
    array = np.asarray(values)
    if array.ndim not in (1, 2):
        raise InputError(f"embeddings of shape {array.shape}; expected (n, dim) or (dim,)")
    return np.atleast_2d(array).astype(np.float32, copy=False)


def _lengths(matrix: _Matrix) -> NDArray[np.float64]:
    """Euclidean lengths (n,) of the rows, each at least 1e-12."""
    rows, values = (matrix.rows, matrix.values) if isinstance(matrix, SparseMatrix) else (None, matrix)
    squares = values.astype(np.float64) ** 2
    sums = squares.sum(axis=1) if rows is None else np.bincount(rows, squares, minlength=len(matrix))
    return np.maximum(np.sqrt(sums), 1e-12)


def _every_pair(first: _Matrix, second: _Matrix, term: _Term) -> NDArray[np.float64]:
    """Sums (n, m) of ``term`` over the dimensions; ``term`` must be symmetric, and 0 for two zeros."""
    if not isinstance(second, SparseMatrix):
        if isinstance(first, SparseMatrix):
            return _every_pair(second, first, term).T
        second = SparseMatrix.from_dense(second)
    sums = np.empty((len(first), len(second)), dtype=np.float64)
    for columns in _blocks(second):
        block = second[columns]
        rows = block.rows
        for place, row in enumerate(first):
            sums[place, columns] = _sums(np.asarray(row, dtype=np.float64), block, rows, term)
    return sums


def _sums(row: NDArray[np.float64], block: SparseMatrix, rows: NDArray[np.int64], term: _Term) -> NDArray[np.float64]:
    """Sums (m,) of ``term`` for ``row`` (dim,) and each row of ``block``.

    First the sum as if the block were all zeros, then the difference that its nonzero values make.
    """
    met, zero = row[block.indices], np.zeros(())
    changes = term(met, block.values) - term(met, zero)
    return term(row, zero).sum() + np.bincount(rows, changes, minlength=len(block))


def _blocks(matrix: SparseMatrix) -> Iterator[slice]:
    """Slices of at least one row that hold about a million values each."""
    start = 0
    while start < len(matrix):
        most = matrix.indptr[start] + _VALUES_AT_ONCE
        stop = max(start + 1, int(np.searchsorted(matrix.indptr, most, side="right")) - 1)
        yield slice(start, stop)
        start = stop


def _row_by_row(a: Embeddings, b: Embeddings, score: similarity.Similarity) -> Floats:
    first, second = _matrices(a, b)
    if len(first) != len(second):
        raise InputError(f"{len(first)} and {len(second)} embeddings; pairwise scores need equally many on both sides")
    step = max(1, _VALUES_AT_ONCE // max(1, first.shape[1]))
    parts = (slice(start, start + step) for start in range(0, len(first), step))
    scores = [score(np.asarray(first[part]), np.asarray(second[part])) for part in parts]
    return np.concatenate([np.zeros(0, dtype=np.float32), *scores])
