"""What a comparison found: one `Result` for each variant on each data set."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge_st_runtime.arrays import Floats

#: below this p-value a difference is called one
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Interval:
    """A measured value and its 95 % bootstrap confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """By how much a variant's quality is above the first one's on the same items, and the paired test's p-value."""

    interval: Interval
    p_value: float

    @property
    def real(self) -> bool:
        """Whether it is one by the paired test, and not chance."""
        return self.p_value < SIGNIFICANCE

    @property
    def verdict(self) -> str:
        """The same in words."""
        if not self.real:
            return "no difference shown"
        return "better" if self.interval.value > 0 else "worse"


@dataclass(frozen=True)
class ModelVariant:
    """One way of running one model; speed in texts (of cross-encoders pairs) a second, memory and vectors in bytes."""

    label: str
    model: str
    engine: str
    dtype: str
    precision: str
    dimension: int | None
    vector_bytes: float | None
    texts_per_second: float
    peak_memory: int | None

    @property
    def unit(self) -> str:
        """What speed counts."""
        return "pairs" if self.dimension is None else "texts"


def speed(variant: ModelVariant) -> str:
    """A variant's speed with what it counts."""
    rate = variant.texts_per_second
    return f"{rate:,.{0 if rate >= 100 else 1}f} {variant.unit}" if math.isfinite(rate) else "–"


@dataclass(frozen=True)
class Example:
    """One item of a data set with its own quality, that of the first variant (None in itself), and what was expected
    and found, a line each."""

    text: str
    quality: float
    first: float | None
    details: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """A variant's quality on the ``items`` (pairs, triplets or queries) of one data set.

    ``measure`` is the name of the primary metric, of which ``quality`` is the value; ``metrics`` holds every metric.
    ``known`` and ``random`` are the scores (n,) of pairs known to belong together and of pairs drawn at random;
    ``worst`` the items that lost most against the first variant, or those of lowest quality where this is the first.
    """

    variant: ModelVariant
    data: str
    items: int
    measure: str
    quality: Interval
    difference: Difference | None
    metrics: Mapping[str, float]
    known: Floats
    random: Floats
    worst: tuple[Example, ...]
