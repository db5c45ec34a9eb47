"""The arguments of `mine_hard_negatives`, checked."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import OptionError

logger = logging.getLogger(__name__)
_STRATEGIES = ("top", "random")
_LIMITS = ("absolute_margin", "relative_margin", "max_score", "min_score")
_SKIPPED_PER_NEGATIVE = 10


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How texts become vectors; raises OptionError for a ``use_multi_process`` that is neither a bool nor devices."""

    batch_size: int
    query_prompt_name: str | None
    query_prompt: str | None
    corpus_prompt_name: str | None
    corpus_prompt: str | None
    use_multi_process: Sequence[str] | bool
    verbose: bool
    cache_folder: str | None

    def __post_init__(self) -> None:
        if not isinstance(self.use_multi_process, bool | list | tuple):
            raise OptionError(f"use_multi_process is {self.use_multi_process!r}; expected a bool or ['cpu', 'cpu']")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which candidates of a query become its negatives. Raises OptionError for values that can choose none."""

    range_min: int
    range_max: int | None
    max_score: float | None
    min_score: float | None
    absolute_margin: float | None
    relative_margin: float | None
    num_negatives: int
    sampling_strategy: str
    include_positives: bool

    def __post_init__(self) -> None:
        check_count("num_negatives", self.num_negatives)
        if not isinstance(self.range_min, Integral) or self.range_min < 0:
            raise OptionError(f"range_min is {self.range_min!r}; expected a whole number of at least 0")
        if self.range_max is not None:
            check_count("range_max", self.range_max)
            self._check_range(self.range_max)
        for name, value in self.limits.items():
            if not isinstance(value, Real) or math.isnan(value):
                raise OptionError(f"{name} is {value!r}; expected a number, or None")
        if self.sampling_strategy not in _STRATEGIES:
            known = " or ".join(map(repr, _STRATEGIES))
            raise OptionError(f"sampling_strategy is {self.sampling_strategy!r}; expected {known}")

    @property
    def limits(self) -> dict[str, float]:
        """The scores and margins that were given, by name."""
        values = {name: getattr(self, name) for name in _LIMITS}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def last(self) -> int:
        """How many candidates of a query are looked at; needs `resolve_selection`."""
        assert self.range_max is not None
        return self.range_max

    @property
    def may_lose_positives(self) -> bool:
        """Whether ``include_positives`` does not make sure that they are among the negatives."""
        return bool(self.range_min or self.range_max is not None or self.limits or self.sampling_strategy != "top")

    def _check_range(self, last: int) -> None:
        if self.range_min >= last:
            raise OptionError(f"range_min is {self.range_min}, range_max {last}; expected range_min below range_max")
        if self.num_negatives > last - self.range_min:
            raise OptionError(
                f"num_negatives is {self.num_negatives}, but ranks {self.range_min} to {last} are "
                f"{last - self.range_min} candidates; lower num_negatives or range_min, or raise range_max"
            )


def resolve_selection(given: Selection, most_positives: int, cross_encoder: Any) -> Selection:
    """``given`` with a ``range_max`` that leaves room for positives and, where there are limits, for what they skip.

    Raises OptionError for a cross-encoder that gives several scores; warns of one that nothing needs.
    """
    labels = getattr(cross_encoder, "num_labels", 1)
    if labels != 1:
        raise OptionError(f"cross_encoder gives {labels} scores a pair; expected a model that gives 1")
    if cross_encoder is not None and not given.limits:
        logger.warning("cross_encoder is not used: it only scores for %s, of which none is given", ", ".join(_LIMITS))
    if given.range_max is not None:
        return given
    skips = bool(set(given.limits) - ({"min_score"} if cross_encoder is None else set()))
    wanted = given.num_negatives * (_SKIPPED_PER_NEGATIVE if skips else 1)
    return replace(given, range_max=int(given.range_min) + wanted + most_positives)
