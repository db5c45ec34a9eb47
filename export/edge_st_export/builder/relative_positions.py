"""MPNet's relative positions, which are T5's. Source: transformers' MPNetEncoder.relative_position_bucket."""

import math

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats

_FARTHEST = 128  # tokens; all greater distances have the same bucket


def bias_by_distance(table: Floats, longest: int) -> Floats:
    """The bias (heads, 2·longest - 1) for a key ``place - (longest - 1)`` tokens after its query.

    ``table`` is (buckets, heads), ``longest`` the number of positions.
    """
    distances = np.arange(1 - longest, longest)
    return np.ascontiguousarray(table[bucket(distances, len(table))].T)


def bucket(distances: NDArray[np.int64], buckets: int) -> NDArray[np.int64]:
    """The bucket of each distance; half are for keys after the query. Small distances are exact, others logarithmic."""
    half = buckets // 2
    exact = half // 2
    apart = np.abs(distances)
    ratio = np.log(np.maximum(apart, 1).astype(np.float32) / np.float32(exact))
    far = exact + (ratio / np.float32(math.log(_FARTHEST / exact)) * np.float32(half - exact)).astype(np.int64)
    return np.where(distances > 0, half, 0) + np.where(apart < exact, apart, np.minimum(far, half - 1))
