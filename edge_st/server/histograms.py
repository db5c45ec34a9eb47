"""A histogram of Prometheus that takes many equal values, or a list of values, at once."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from prometheus_client import Histogram


class ManyHistogram(Histogram):
    """A `prometheus_client.Histogram`. A request of a thousand texts costs it as much as one of a single text."""

    def observe_times(self, value: float, times: int) -> None:
        """Observe ``value`` as often as ``times`` says."""
        self._sum.inc(value * times)
        self._buckets[bisect_left(self._upper_bounds, value)].inc(times)

    def observe_all(self, values: Sequence[float]) -> None:
        """Observe each of ``values``."""
        self._sum.inc(sum(values))
        bounds = self._upper_bounds
        for place, times in Counter([bisect_left(bounds, value) for value in values]).items():
            self._buckets[place].inc(times)


def geometric(first: float, factor: float, count: int) -> Sequence[float]:
    """The upper bounds ``first``, ``first * factor`` … of ``count`` buckets."""
    return tuple(first * factor**power for power in range(count))
