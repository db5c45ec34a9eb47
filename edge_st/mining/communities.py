"""Community detection: groups of embeddings that are near to a central one."""

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
    """Communities of near ``embeddings`` (n, dim), as lists of their positions, the largest first.

    A community is every embedding whose cosine with a central one is at least ``threshold``. It lists the centre first,
    then the others by their cosine; equal ones in order of position. Communities are formed from the largest to the
    smallest, of equal size by the position of the centre. An embedding belongs to the first community that it is in;
    a later one goes without it, and one whose centre it would be is not formed. Communities with fewer than
    ``min_community_size`` members are left out. ``batch_size`` rows are compared with all others at once, or fewer to
    save memory.

    Raises OptionError for a size below 1 or a threshold that is not a number, InputError for embeddings with NaN or
    infinity. Source: sentence-transformers' function of this name.
    """
    check_count("min_community_size", min_community_size)
    check_count("batch_size", batch_size)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number) or np.isnan(threshold):
        raise OptionError(f"threshold is {threshold!r}; expected a cosine, such as 0.75")
    matrix = as_matrix(embeddings)
    check_finite(matrix)
    if not matrix.size or len(matrix) < min_community_size:
        return []
    unit = normalize(matrix)
    rows, limit = max(1, min(batch_size, SCORES_AT_ONCE // len(unit))), np.float32(threshold)
    sizes = _sizes(unit, limit, rows, show_progress_bar)
    return sorted(_distinct(unit, sizes, limit, min_community_size, rows), key=len, reverse=True)


def _sizes(unit: NDArray[Any], limit: np.float32, rows: int, show_progress_bar: bool) -> NDArray[np.int64]:
    """How many embeddings are near to each one (n,), itself included; near pairs are compared once, counted twice."""
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
    """The communities that still have ``least`` members without those of earlier communities."""
    centres = np.argsort(-sizes, kind="stable")
    centres = centres[sizes[centres] >= least]
    ids, left = np.arange(len(unit)), unit
    free, taken = np.ones(len(unit), dtype=bool), np.zeros(len(unit), dtype=bool)
    for start in range(0, len(centres), rows):
        if free.mean() < _WORTH_COPYING:
            ids, left, free = ids[free], left[free], np.ones(int(free.sum()), dtype=bool)
        if len(ids) < least:
            return
        part = centres[start : start + rows]
        part = part[~taken[part]]
        scores = unit[part] @ left.T
        near = (scores >= limit) & free
        for place in np.flatnonzero(np.count_nonzero(near, axis=1) >= least).tolist():
            members = np.flatnonzero(near[place] & free)
            if len(members) >= least and not taken[part[place]]:
                found = ids[members]
                free[members], taken[found] = False, True
                yield found[np.lexsort((found, -scores[place, members], found != part[place]))].tolist()
