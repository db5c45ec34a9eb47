"""Finding the groups of embeddings that are near to one of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import OptionError
from edge_st_runtime.search.exact import SCORES_AT_ONCE
from edge_st_runtime.vectors.dense import as_matrix, check_finite, normalize

from ..progress import progress_bar

_WORTH_COPYING = 0.9


def community_detection(
    embeddings: ArrayLike,
    threshold: float = 0.75,
    min_community_size: int = 10,
    batch_size: int = 1024,
    show_progress_bar: bool = False,
) -> list[list[int]]:
    """Positions in ``embeddings`` (n, dim) that belong together, the largest group first.

    A group is every embedding whose cosine with a central one is at least ``threshold``: the centre first, then the
    nearest; equally near ones in their order. Larger groups come first, of equal ones that of the earlier centre, and
    what is in one is in no later one, which may so lose its centre. Groups of fewer than ``min_community_size``, or
    than all embeddings if they are fewer, are left out. ``batch_size`` rows are compared with all others at once, or
    fewer where that would take much memory.

    Raises OptionError for a size below 1 or a threshold that is no number, InputError for embeddings that are not
    finite. Source: sentence-transformers' function of this name.
    """
    check_count("min_community_size", min_community_size)
    check_count("batch_size", batch_size)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number) or np.isnan(threshold):
        raise OptionError(f"threshold is {threshold!r}; expected a cosine, such as 0.75")
    matrix = as_matrix(embeddings)
    if not matrix.size:
        return []
    check_finite(matrix)
    unit, least = normalize(matrix), min(min_community_size, len(matrix))
    rows, limit = max(1, min(batch_size, SCORES_AT_ONCE // len(unit))), np.float32(threshold)
    sizes = _sizes(unit, limit, rows, show_progress_bar)
    return sorted(_distinct(unit, sizes, limit, least, rows), key=len, reverse=True)


def _sizes(unit: NDArray[Any], limit: np.float32, rows: int, show_progress_bar: bool) -> NDArray[np.int64]:
    """How many embeddings are near to each one (n,), itself included; of two that are near both count the other."""
    sizes = np.zeros(len(unit), dtype=np.int64)
    with progress_bar(len(unit), show_progress_bar, "embedding", "Finding clusters") as advance:
        for start in range(0, len(unit), rows):
            part = unit[start : start + rows]
            near = part @ unit[start:].T >= limit
            sizes[start : start + rows] += np.count_nonzero(near, axis=1)
            sizes[start + rows :] += np.count_nonzero(near[:, rows:], axis=0)
            advance(len(part))
    return sizes


def _distinct(
    unit: NDArray[Any], sizes: NDArray[np.int64], limit: np.float32, least: int, rows: int
) -> Iterator[list[int]]:
    """The communities of ``least`` members and more that earlier, larger ones leave."""
    centres = np.argsort(-sizes, kind="stable")
    centres = centres[sizes[centres] >= least]
    ids, left = np.arange(len(unit)), unit
    free = np.ones(len(unit), dtype=bool)
    for start in range(0, len(centres), rows):
        if free.mean() < _WORTH_COPYING:
            ids, left, free = ids[free], left[free], np.ones(int(free.sum()), dtype=bool)
        if len(ids) < least:
            return
        part = centres[start : start + rows]
        scores = unit[part] @ left.T
        near = (scores >= limit) & free
        for place in np.flatnonzero(np.count_nonzero(near, axis=1) >= least).tolist():
            members = np.flatnonzero(near[place] & free)
            if len(members) >= least:
                free[members] = False
                found = ids[members]
                yield found[np.lexsort((found, -scores[place, members], found != part[place]))].tolist()
