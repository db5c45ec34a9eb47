"""Compare the outputs of two models."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.model.record import FLOAT32_COSINE
from edge_st_runtime.vectors.parity import Rows, correlations, cosines

#: the largest difference of scores and weights from the original's in float32, times their scale if that is above 1
FLOAT32_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Comparison:
    """One output compared with the original's: the worst cosine of two rows, and the largest difference of values.

    For scores, the cosine is the correlation of a label's scores over all pairs. ``scale`` is the largest absolute
    value of the original's output. The cosine must be at least ``least``. The difference may be at most ``most``, times
    ``scale`` if that is above 1; None allows any difference.
    """

    output: str
    cosine_min: float
    max_abs_difference: float
    scale: float
    least: float
    most: float | None = None

    @property
    def relative_difference(self) -> float:
        """The largest difference, relative to the largest value."""
        return self.max_abs_difference / self.scale if self.scale else self.max_abs_difference

    @property
    def equal(self) -> bool:
        """Whether cosine and difference are within their tolerances. NaN is not."""
        within = self.most is None or self.max_abs_difference <= self.most * max(1.0, self.scale)
        return self.cosine_min >= self.least and within


def compared(
    output: str,
    found: Any,
    wanted: Any,
    least: float = FLOAT32_COSINE,
    most: float | None = None,
    *,
    scores: bool = False,
) -> Comparison:
    """Compare an output ``found`` with the one that is ``wanted``; both are arrays, or lists of arrays.

    ``scores`` says that rows are pairs of texts and columns their scores for each label.
    """
    a, b = _rows(found), _rows(wanted)
    if isinstance(found, list) and isinstance(wanted, list) and _counts(found) != _counts(wanted):
        name = f"{output} (another number of vectors for some texts)"
        return Comparison(name, float("nan"), float("inf"), 1.0, least, most)
    if a.shape != b.shape:
        name = f"{output} (shape {a.shape}, original {b.shape})"
        return Comparison(name, float("nan"), float("inf"), 1.0, least, most)
    near = correlations(a, b) if scores else cosines(a, b)
    worst = float(np.nan_to_num(near, nan=-1).min(initial=1))
    difference, scale = (float(np.abs(values).max(initial=0)) for values in (a - b, b))
    return Comparison(output, worst, difference, scale, least, most)


def queries_in_order(
    pairs: Sequence[tuple[str, str]], found: NDArray[Any], wanted: NDArray[Any], most: float
) -> tuple[int, int]:
    """The number of queries whose documents rank as with the original, and the number of all queries.

    The ``pairs`` of a query follow each other; ``found`` and ``wanted`` (pairs,) are their scores. Documents whose
    original scores differ by at most twice ``most`` may swap places. Queries with one document do not count.
    """
    counts = [len(list(group)) for _, group in groupby(pairs, key=lambda pair: pair[0])]
    ends = np.cumsum(counts)
    groups = [np.arange(end - count, end) for end, count in zip(ends, counts, strict=True) if count > 1]
    steps = [np.diff(wanted[rows][np.argsort(-found[rows], kind="stable")]) for rows in groups]
    return sum(bool((step <= 2 * most).all()) for step in steps), len(groups)


def _counts(values: list[Any]) -> list[int]:
    """How many rows each text has."""
    return [len(np.atleast_2d(value)) for value in values]


def _rows(values: Any) -> Rows:
    """The rows (n, width) of an output; for token embeddings a row for every token."""
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return values.astype(np.float64)
    return np.concatenate([np.atleast_2d(np.asarray(value)) for value in values]).astype(np.float64)
