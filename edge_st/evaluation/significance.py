"""Bootstrap confidence intervals, and the paired randomization test.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13, for the intervals; Noreen,
Computer-Intensive Methods for Testing Hypotheses (1989), chapter 2, for the test, which is valid for few items, too.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .statistics import Values

#: computes a metric from values of items and the items' positions; an item may occur several times
Statistic: TypeAlias = Callable[[Values, NDArray[np.int64]], float]
RESAMPLES = 1000
_SEED = 20261122
_PERCENTILES = (2.5, 97.5)
_ROUNDING = 1e-12


def bootstrap(statistic: Statistic, values: Values) -> Values:
    """The values of ``statistic`` for `RESAMPLES` samples of the items, drawn with replacement: (RESAMPLES,).

    ``values`` (n,) are those of the items. Calls with the same number of items draw the same samples, so that the
    results of two variants are paired.
    """
    drawn, count = np.random.default_rng(_SEED), len(values)
    samples = (drawn.integers(count, size=count) for _ in range(RESAMPLES))
    return np.array([statistic(values[items], items) for items in samples])


def interval(bootstrapped: Values) -> tuple[float, float]:
    """The 95 % percentile interval of bootstrapped values (RESAMPLES,) that are not NaN; NaN if all are."""
    known = bootstrapped[~np.isnan(bootstrapped)]
    low, high = np.percentile(known, _PERCENTILES) if len(known) else (np.nan, np.nan)
    return float(low), float(high)


def p_value(statistic: Statistic, first: Values, second: Values) -> float:
    """The two-sided p-value of the paired randomization test of two variants' values (n,) for the same items.

    In each of `RESAMPLES` rounds the two values of every item are swapped with probability 0.5. The p-value is the
    share of rounds whose difference is at least as large as the observed one. It is 1 where the difference is NaN.
    """
    items, drawn = np.arange(len(first)), np.random.default_rng(_SEED)
    observed = abs(statistic(second, items) - statistic(first, items))
    smaller = 0
    for _ in range(RESAMPLES):
        swapped = drawn.random(len(first)) < 0.5
        one, other = np.where(swapped, second, first), np.where(swapped, first, second)
        smaller += abs(statistic(other, items) - statistic(one, items)) < observed - _ROUNDING
    return (1 + RESAMPLES - smaller) / (1 + RESAMPLES)
