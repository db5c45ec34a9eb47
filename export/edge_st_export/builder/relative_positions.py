"""Relative positions of MPNet and T5. Source: transformers' T5Attention._relative_position_bucket."""

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
    """
    half = buckets // 2
    exact = half // 2
    apart = np.abs(distances)
    ratio = np.log(np.maximum(apart, 1).astype(np.float32) / np.float32(exact))
    far = exact + (ratio / np.float32(math.log(farthest / exact)) * np.float32(half - exact)).astype(np.int64)
    return np.where(distances > 0, half, 0) + np.where(apart < exact, apart, np.minimum(far, half - 1))
