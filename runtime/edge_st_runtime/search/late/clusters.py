"""Clusters of vectors by k-means: their centroids, and the nearest one of each vector."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats

_ROUNDS = 6
#: products of a vector with a centroid that are in memory at once
_AT_ONCE = 8_000_000


def centroids_of(sample: Floats, count: int, generator: np.random.Generator) -> Floats:
    """The centroids (count, dim) float32 of ``sample`` (n, dim), n being ``count`` at least, after six rounds.

    They begin as vectors of the sample; one that is nearest to none stays where it is.
    """
    centroids = sample[np.sort(generator.choice(len(sample), count, replace=False))]
    for _ in range(_ROUNDS):
        nearest = nearest_of(sample, centroids)
        order = np.argsort(nearest, kind="stable")
        used, starts = np.unique(nearest[order], return_index=True)
        counts = np.diff(starts, append=len(sample)).astype(np.float32)
        centroids = centroids.copy()
        centroids[used] = np.add.reduceat(sample[order], starts, axis=0) / counts[:, None]
    return centroids


def nearest_of(vectors: Floats, centroids: Floats) -> NDArray[np.uint16]:
    """The number (n,) of the centroid that is nearest to each of ``vectors`` (n, dim); the first of equal ones."""
    half = np.einsum("kd,kd->k", centroids, centroids) / 2
    found = [np.argmax(block @ centroids.T - half, axis=1) for block in _blocks(vectors, len(centroids))]
    return np.concatenate([np.empty(0, dtype=np.uint16), *found]).astype(np.uint16)


def _blocks(vectors: Floats, centroids: int) -> Iterator[Floats]:
    size = max(1, _AT_ONCE // centroids)
    for start in range(0, len(vectors), size):
        yield vectors[start : start + size]
