"""Which candidates of a query `mine_hard_negatives` takes as its negatives: ranks, limits and sampling."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import OptionError

logger = logging.getLogger(__name__)
_STRATEGIES = ("top", "random")
_LIMITS = ("absolute_margin", "relative_margin", "max_score", "min_score")
#: candidates that are looked at for each negative where limits may leave some out
_CANDIDATES_PER_NEGATIVE = 10


@dataclass(frozen=True)
class Selection:
    """Candidates by rank and score; ``limits`` are those that `given_limits` returns.

    Raises OptionError for values that can select nothing.
    """

    range_min: int
    range_max: int | None
    limits: Mapping[str, float]
    num_negatives: int
    sampling_strategy: str
    include_positives: bool

    def __post_init__(self) -> None:
        if isinstance(self.num_negatives, Integral) and self.num_negatives < 1:
            raise OptionError(f"num_negatives must be at least 1, got num_negatives={self.num_negatives}.")
        check_count("num_negatives", self.num_negatives)
        if not isinstance(self.range_min, Integral) or self.range_min < 0:
            raise OptionError(f"range_min must be non-negative, got range_min={self.range_min!r}. Expected an integer")
        if self.range_max is not None:
            check_count("range_max", self.range_max)
            self._check_range(self.range_max)
        if self.sampling_strategy not in _STRATEGIES:
            known = " or ".join(map(repr, _STRATEGIES))
            raise OptionError(f"sampling_strategy is {self.sampling_strategy!r}; expected {known}")

    @property
    def last(self) -> int:
        """The rank after the last candidate that is looked at; known after `resolve_selection`."""
        assert self.range_max is not None
        return self.range_max

    @property
    def may_lose_positives(self) -> bool:
        """Whether positives may be missing among the negatives in spite of ``include_positives``."""
        return bool(self.range_min or self.range_max is not None or self.limits or self.sampling_strategy != "top")

    def _check_range(self, last: int) -> None:
        if self.range_min >= last:
            raise OptionError(
                f"range_min must be smaller than range_max, got range_min={self.range_min} and range_max={last}."
            )
        if self.num_negatives > last - self.range_min:
            raise OptionError(
                f"Cannot mine {self.num_negatives} negatives per query: only {last - self.range_min} candidates remain "
                f"after skipping the first range_min={self.range_min} of range_max={last}. Consider decreasing "
                "num_negatives or range_min, or increasing range_max."
            )


def given_limits(
    absolute_margin: float | None,
    relative_margin: float | None,
    max_score: float | None,
    min_score: float | None,
    margin: float | None,
) -> dict[str, float]:
    """The margins and scores that are not None, by name; ``margin`` is an older name of ``absolute_margin``.

    Raises OptionError for a value that is no number.
    """
    if margin is not None:
        logger.warning(
            "margin is deprecated; use absolute_margin or relative_margin. absolute_margin is now %s", margin
        )
        absolute_margin = margin
    values = zip(_LIMITS, (absolute_margin, relative_margin, max_score, min_score), strict=True)
    limits = {name: value for name, value in values if value is not None}
    for name, value in limits.items():
        if not isinstance(value, Real) or math.isnan(value):
            raise OptionError(f"{name} is {value!r}; expected a number, or None")
    return limits


def resolve_selection(given: Selection, max_positives: int, cross_encoder: Any) -> Selection:
    """``given`` with a ``range_max``: room for ``max_positives``, and for what the limits may leave out.

    Raises OptionError for a cross-encoder with several labels. Warns where a cross-encoder is not used.
    """
    labels = getattr(cross_encoder, "num_labels", 1)
    if labels != 1:
        raise OptionError(f"cross_encoder gives {labels} scores a pair; expected a model that gives 1")
    if cross_encoder is not None and not given.limits:
        logger.warning("cross_encoder is not used: it only scores for %s, of which none is given", ", ".join(_LIMITS))
    if given.range_max is not None:
        return given
    lose_some = bool(set(given.limits) - ({"min_score"} if cross_encoder is None else set()))
    candidates = given.num_negatives * (_CANDIDATES_PER_NEGATIVE if lose_some else 1)
    return replace(given, range_max=int(given.range_min) + candidates + max_positives)
