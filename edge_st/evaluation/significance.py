"""How sure a measured value is, and whether two of the same items differ: the bootstrap, and randomization.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; Noreen, Computer-Intensive Methods
for Testing Hypotheses (1989), chapter 2, for the test, which holds for few items, too.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .statistics import Values

#: a measure of the items at these positions, of which some occur several times, where each has this value
Statistic: TypeAlias = Callable[[Values, NDArray[np.int64]], float]
RESAMPLES = 1000
_SEED = 20261122
_OUTSIDE = (2.5, 97.5)
_ROUNDING = 1e-12


def bootstrap(statistic: Statistic, values: Values) -> Values:
    """What ``statistic`` gives for `RESAMPLES` samples of the items (n,), drawn with replacement: (RESAMPLES,).

    The samples are the same in every call with as many items, so that what two variants give for them is paired.
    """
    drawn, count = np.random.default_rng(_SEED), len(values)
    samples = (drawn.integers(count, size=count) for _ in range(RESAMPLES))
    return np.array([statistic(values[items], items) for items in samples])


def interval(bootstrapped: Values) -> tuple[float, float]:
    """The 95 % percentile interval of bootstrapped values (RESAMPLES,), but for those that are NaN; NaN of none."""
    known = bootstrapped[~np.isnan(bootstrapped)]
    low, high = np.percentile(known, _OUTSIDE) if len(known) else (np.nan, np.nan)
    return float(low), float(high)


def p_value(statistic: Statistic, first: Values, second: Values) -> float:
    """How likely a difference at least as large is by chance, of two variants' values (n,) for the same items.

    That is how often one appears where both variants' values of an item change places by the toss of a coin, in
    `RESAMPLES` rounds; two-sided. 1 where the difference is NaN.
    """
    items, drawn = np.arange(len(first)), np.random.default_rng(_SEED)
    apart = abs(statistic(second, items) - statistic(first, items))
    smaller = 0
    for _ in range(RESAMPLES):
        tossed = drawn.random(len(first)) < 0.5
        one, other = np.where(tossed, second, first), np.where(tossed, first, second)
        smaller += abs(statistic(other, items) - statistic(one, items)) < apart - _ROUNDING
    return (1 + RESAMPLES - smaller) / (1 + RESAMPLES)
