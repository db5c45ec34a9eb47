"""The results of a comparison: one `Result` for each variant on each data set."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge_st_runtime.arrays import Floats

#: a difference with a lower p-value is called significant
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Interval:
    """A measured value and its 95 % bootstrap confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A variant's quality minus that of the first variant on the same items, and the p-value of the paired test."""

    interval: Interval
    p_value: float

    @property
    def significant(self) -> bool:
        """Whether the p-value is below `SIGNIFICANCE`."""
        return self.p_value < SIGNIFICANCE

    @property
    def verdict(self) -> str:
        """Better, worse, or no difference shown."""
        if not self.significant:
            return "no difference shown"
        return "better" if self.interval.value > 0 else "worse"


@dataclass(frozen=True)
class ModelVariant:
    """A model as one row of a comparison: engine, dtype, precision and dimension, with its speed and memory.

    Speed is in texts per second, of cross-encoders in pairs. ``vector_bytes`` and ``peak_memory`` are in bytes.
    """

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
        """What the speed counts: texts or pairs."""
        return "pairs" if self.dimension is None else "texts"


def speed(variant: ModelVariant) -> str:
    """A variant's speed with its unit."""
    rate = variant.texts_per_second
    return f"{rate:,.{0 if rate >= 100 else 1}f} {variant.unit}" if math.isfinite(rate) else "–"


@dataclass(frozen=True)
class Example:
    """One item of a data set, to show what a variant does.

    ``quality`` is the item's own, ``first`` that of the first variant (None for the first variant itself). ``details``
    are lines that say what was expected and what was found.
    """

    text: str
    quality: float
    first: float | None
    details: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """A variant's quality on one data set.

    ``items`` is the number of pairs, triplets or queries. ``measure`` names the primary metric, ``quality`` is its
    value; ``metrics`` holds all metrics. ``known`` and ``random`` are the scores (n,) of pairs known to belong together
    and of pairs drawn at random. ``worst`` holds the items that lost most against the first variant; for the first
    variant itself, its items of lowest quality.
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
