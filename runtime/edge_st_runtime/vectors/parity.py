"""Parity: how near the vectors or scores of a model are to those of another, such as the original."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

Rows: TypeAlias = NDArray[np.float64]


def rows_of(places: Sequence[int], counts: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The rows of the texts at ``places``, of which each has as many as ``counts`` (texts,) says; None: one each."""
    if counts is None:
        return np.asarray(places, dtype=np.int64)
    starts = np.cumsum(counts) - counts
    found = [np.arange(starts[place], starts[place] + counts[place]) for place in places]
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])


def cosines(found: NDArray[Any], wanted: NDArray[Any]) -> Rows:
    """The cosine (n,) of each row of ``found`` with the same row of ``wanted``, in float64; 1 where both are zero."""
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    return np.where(both_zero, 1.0, (a * b).sum(axis=1) / np.where(lengths == 0, 1, lengths))


def correlations(found: NDArray[Any], wanted: NDArray[Any]) -> Rows:
    """Pearson's correlation (columns,) of each column of ``found`` (n, columns) with the same column of ``wanted``.

    1 where both are equal or both are constant, NaN where only one is constant.
    """
    return np.array([_correlation(*columns) for columns in zip(found.T, wanted.T, strict=True)])


def pearson(first: ArrayLike, second: ArrayLike) -> float:
    """Pearson's correlation of two (n,) arrays; NaN where one is constant. Source: scipy.stats.pearsonr.

    Raises InputError for different lengths or fewer than two values.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise InputError(
            f"values of shape {a.shape} and {b.shape}; a correlation takes two arrays (n,) of the same length, n at "
            "least 2"
        )
    if (a == a[0]).all() or (b == b[0]).all():
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def _correlation(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    constant = np.ptp(found) == 0 and np.ptp(wanted) == 0
    return 1.0 if constant or (found == wanted).all() else pearson(found, wanted)
