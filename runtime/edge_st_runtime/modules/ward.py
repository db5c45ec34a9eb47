"""Ward's hierarchical clustering, cut into a number of clusters.

Source: scipy.cluster.hierarchy's ``linkage(distances, "ward")`` and ``fcluster(…, criterion="maxclust")``. The clusters
and their order are theirs. The method is the nearest-neighbour chain (Müllner, https://arxiv.org/abs/1109.2378).
"""

import numpy as np
from numpy.typing import NDArray

from ..arrays import Ids
from ..errors import InputError

_Distances = NDArray[np.float64]


def ward_clusters(distances: NDArray[np.floating], count: int) -> Ids:
    """The cluster (n,) int64 of each of n items, from 0: at most ``count`` clusters, fewer where distances are equal.

    ``distances`` (n, n) are read above the diagonal. The time grows with n², and so does the memory: 8 n² bytes.

    Raises InputError for a distance that is NaN or infinite.
    """
    items = len(distances)
    if count >= items:
        return np.arange(items, dtype=np.int64)
    merges, heights = _tree(*_chain(_square(distances)))
    return _cut(merges, int(np.searchsorted(heights, heights[items - count - 1], side="right")))


def _square(distances: NDArray[np.floating]) -> _Distances:
    """A copy that is symmetric as its upper triangle says, with infinity on its diagonal."""
    if not np.isfinite(distances).all():
        raise InputError("a distance between token vectors is NaN or infinite; expected finite token vectors")
    square = np.where(np.tri(len(distances), dtype=bool), distances.T, distances).astype(np.float64)
    np.fill_diagonal(square, np.inf)
    return square


def _chain(distances: _Distances) -> tuple[Ids, _Distances]:
    """The merges (n - 1, 2) of slots, the cluster then being in the second one, and their heights (n - 1,).

    A chain of nearest neighbours grows until two are each other's nearest; those merge. ``distances`` is overwritten: a
    slot without a cluster is infinitely far from all.
    """
    items = len(distances)
    sizes = np.ones(items)
    merges, heights = np.empty((items - 1, 2), dtype=np.int64), np.empty(items - 1)
    chain: list[int] = []
    for step in range(items - 1):
        if not chain:
            chain.append(int(np.flatnonzero(sizes)[0]))
        while True:
            row = distances[chain[-1]]
            nearest = int(row.argmin())
            if len(chain) > 1 and row[chain[-2]] <= row[nearest]:  # of equals the one before, so that no circle begins
                break
            chain.append(nearest)
        first, second = sorted((chain.pop(), chain.pop()))
        heights[step], merges[step] = distances[first, second], (first, second)
        _merge(distances, sizes, first, second)
    return merges, heights


def _merge(distances: _Distances, sizes: _Distances, first: int, second: int) -> None:
    """Put the cluster of both slots into the ``second`` one, and empty the ``first``; Ward's formula."""
    height, size, other = float(distances[first, second]), float(sizes[first]), float(sizes[second])
    share = 1.0 / (sizes + (size + other))
    squares = _product(sizes + size, share, distances[first])
    squares += _product(sizes + other, share, distances[second])
    squares -= _product(sizes, share, height)
    distances[second] = distances[:, second] = np.sqrt(squares, out=squares)
    distances[first] = distances[:, first] = np.inf
    sizes[first], sizes[second] = 0, size + other


def _product(weights: _Distances, share: _Distances, distances: _Distances | float) -> _Distances:
    """``weights`` * ``share`` * ``distances``²."""
    product = weights * share
    product *= distances
    product *= distances
    return product


def _tree(merges: Ids, heights: _Distances) -> tuple[list[tuple[int, int]], _Distances]:
    """The merges in the order of their heights, and the heights.

    Merge k makes the node n + k out of two nodes, the smaller one first; the nodes below n are the items.
    """
    order = np.argsort(heights, kind="stable")
    parents = list(range(2 * len(merges) + 1))

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    nodes = []
    for made, (first, second) in enumerate(merges[order].tolist(), start=len(merges) + 1):
        left, right = sorted((root(first), root(second)))
        nodes.append((left, right))
        parents[left] = parents[right] = made
    return nodes, heights[order]


def _cut(merges: list[tuple[int, int]], within: int) -> Ids:
    """The cluster of each item where the first ``within`` merges are made, in fcluster's order.

    That is the order of a walk from the top, in which a node's larger parts come before its single items.
    """
    items = len(merges) + 1
    labels = np.empty(items, dtype=np.int64)
    made, waiting = 0, [2 * items - 2]
    while waiting:
        node = waiting.pop()
        if items + within <= node:
            parts = merges[node - items]
            waiting.extend(sorted(parts, key=lambda part: part < items)[::-1])
        else:
            labels[_leaves(merges, node)] = made
            made += 1
    return labels


def _leaves(merges: list[tuple[int, int]], node: int) -> list[int]:
    """The items below a node."""
    items, found, waiting = len(merges) + 1, [], [node]
    while waiting:
        node = waiting.pop()
        if node < items:
            found.append(node)
        else:
            waiting.extend(merges[node - items])
    return found
