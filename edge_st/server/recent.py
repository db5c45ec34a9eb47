"""The last requests: how long they took, and how many texts came."""

import time
from collections import deque
from typing import Any

import numpy as np

_KEPT = 1024
_SECONDS = 10.0


class Recent:
    """The times of the last 1024 requests. Not safe to call from several threads."""

    def __init__(self) -> None:
        self._requests: deque[tuple[float, int, float]] = deque(maxlen=_KEPT)
        self._count = 0

    def add(self, texts: int, seconds: float) -> None:
        """A request with so many ``texts`` took ``seconds``."""
        self._requests.append((time.monotonic(), texts, seconds))
        self._count += 1

    def statistics(self) -> dict[str, Any]:
        """The number of ``requests`` in all; ``latency_ms`` of the last ones, and ``texts_per_second`` of now."""
        now, requests = time.monotonic(), list(self._requests)
        times = np.array([seconds for _, _, seconds in requests]) * 1000
        p50, p99 = (round(float(value), 2) for value in np.percentile(times, (50, 99))) if requests else (None, None)
        new = [(ended, texts) for ended, texts, _ in requests if now - ended <= _SECONDS]
        span = _SECONDS if len(new) < len(requests) or self._count <= _KEPT else now - new[0][0]
        return {
            "requests": self._count,
            "latency_ms": {"p50": p50, "p99": p99},
            "texts_per_second": round(sum(texts for _, texts in new) / max(span, 0.001), 1),
        }
