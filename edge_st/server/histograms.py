"""A histogram of Prometheus that takes many equal values, or an array of values, at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from prometheus_client import Histogram


class ManyHistogram(Histogram):
    """A `prometheus_client.Histogram`. A request of a thousand texts costs it as much as one of a single text."""

    def observe_times(self, value: float, times: int) -> None:
        """Observe ``value`` as often as ``times`` says."""
        place = np.searchsorted(self._upper_bounds, value)
        self._sum.inc(value * times)
        self._buckets[int(place)].inc(times)

    def observe_all(self, values: ArrayLike) -> None:
        """Observe each of ``values`` (n,)."""
        found = np.asarray(values, dtype=np.float64)
        places = np.searchsorted(self._upper_bounds, found)
        self._sum.inc(float(found.sum()))
        for place, times in zip(*np.unique(places, return_counts=True), strict=True):
            self._buckets[int(place)].inc(int(times))


def geometric(first: float, factor: float, count: int) -> Sequence[float]:
    """The upper bounds ``first``, ``first * factor`` … of ``count`` buckets."""
    return tuple(first * factor**power for power in range(count))
