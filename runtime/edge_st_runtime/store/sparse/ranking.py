"""The best documents of each query, from the scores of all."""

from collections.abc import Iterable

import numpy as np

from ...arrays import Floats, Ids
from ...checks import check_count
from ...errors import DamagedFileError


def best(scores: Floats, k: int) -> Ids:
    """Positions (min(k, n),) of the largest of ``scores`` (n,), largest first; equal ones in order of position."""
    chosen = np.arange(len(scores))
    if k < len(scores):
        least = np.partition(scores, -k)[-k]
        above = np.flatnonzero(scores > least)
        level = np.flatnonzero(scores == least)[: k - len(above)]
        chosen = np.sort(np.concatenate((above, level)))
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def best_of_each(scores: Iterable[Floats], queries: int, documents: int, k: int) -> tuple[Floats, Ids]:
    """Scores (queries, min(k, documents)) float32 and positions int64 of the `best` documents of each query.

    ``scores`` gives the scores (documents,) of one query at a time. Raises OptionError for ``k`` below 1,
    DamagedFileError where computing them fails because a damaged segment names a document that does not exist.
    """
    check_count("top_k", k)
    shape = (queries, min(k, documents))
    values, ids = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.int64)
    try:
        for place, row in enumerate(scores):
            ids[place] = best(row, k)
            values[place] = row[ids[place]]
    except IndexError as error:
        raise DamagedFileError(
            f"the index names a document that it does not hold ({error}); find the damaged file with: verify()"
        ) from error
    return values, ids
