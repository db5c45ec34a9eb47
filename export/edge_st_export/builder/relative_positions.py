"""Relative positions: those of T5, which are MPNet's, and those of DeBERTa."""

import math

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats

_FARTHEST = 128


def bias_by_distance(table: Floats, longest: int, farthest: int = _FARTHEST) -> Floats:
    """The bias (heads, 2·longest - 1) for a key ``place - (longest - 1)`` tokens after its query.

    ``table`` is (buckets, heads), ``longest`` the number of positions, ``farthest`` as in `bucket`.
    """
    distances = np.arange(1 - longest, longest)
    return np.ascontiguousarray(table[bucket(distances, len(table), farthest)].T)


def bucket(distances: NDArray[np.int64], buckets: int, farthest: int = _FARTHEST) -> NDArray[np.int64]:
    """The bucket of each distance in tokens; half are for keys after the query.

    Small distances are exact, others logarithmic; from ``farthest`` on they have the same bucket.

    Source: transformers' T5Attention._relative_position_bucket.
    """
    half = buckets // 2
    exact = half // 2
    apart = np.abs(distances)
    ratio = np.log(np.maximum(apart, 1).astype(np.float32) / np.float32(exact))
    far = exact + (ratio / np.float32(math.log(farthest / exact)) * np.float32(half - exact)).astype(np.int64)
    return np.where(distances > 0, half, 0) + np.where(apart < exact, apart, np.minimum(far, half - 1))


def logarithmic(distances: NDArray[np.int64], buckets: int, farthest: int) -> NDArray[np.int64]:
    """The distances, those beyond half of the ``buckets`` in steps that grow until ``farthest``.

    Source: make_log_bucket_position in transformers' DebertaV2Model.
    """
    exact, apart = buckets // 2, np.abs(distances)
    growth = np.log(np.maximum(apart, exact) / np.float32(exact), dtype=np.float32)
    steps = growth / np.log(np.float32((farthest - 1) / exact)) * np.float32(exact - 1)
    far = np.ceil(steps).astype(np.int64) + exact
    return np.where(apart <= exact, distances, far * np.sign(distances))
