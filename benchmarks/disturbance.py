"""The share of the machine that other processes used during a measurement."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def disturbance() -> Iterator[None]:
    """Print at the end the share of the machine that processes outside the measurement used (Linux)."""
    before, own, began = _busy_seconds(), _own_seconds(), time.perf_counter()
    yield
    others = _busy_seconds() - before - (_own_seconds() - own)
    share = max(0.0, others) / (time.perf_counter() - began) / (os.cpu_count() or 1)
    print(f"\nmeanwhile other processes took {share:.0%} of the machine" + (": measure again" if share > 0.1 else ""))


def _busy_seconds() -> float:
    line = Path("/proc/stat").read_text(encoding="ascii").split("\n")[0]
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
