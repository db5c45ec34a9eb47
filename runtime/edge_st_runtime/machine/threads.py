"""The number of threads to compute with: that of the cores that this process may use, or half of them.

The host's number of cores is wrong in containers and under ``taskset``: an engine that starts that many threads has
more threads than cores.
"""

import math
import os

from ..errors import OptionError
from .background import in_background
from .cgroup import cgroup_quota

VARIABLE = "EDGE_ST_NUM_THREADS"


def thread_count(requested: int | None = None, *, background: bool | None = None, most: int | None = None) -> int:
    """The number of threads to compute with: ``requested``, else ``EDGE_ST_NUM_THREADS``, else `available_cores`.

    Of the cores at most ``most`` are taken, and half of them in the background (of one core, that one). ``background``
    None: as `in_background` says. Raises OptionError where the argument or a variable has a value that it cannot have.
    """
    if requested is not None:
        return _positive(requested, requested, "num_threads")
    variable = os.environ.get(VARIABLE, "").strip()
    if not variable:
        half = in_background() if background is None else background
        cores = max(1, available_cores() // (2 if half else 1))
        return cores if most is None else min(cores, most)
    return _positive(int(variable) if variable.isdecimal() else None, variable, VARIABLE)


def available_cores() -> int:
    """The number of cores by CPU affinity, or the cgroup's quota rounded up if that is less; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _positive(number: int | None, given: object, name: str) -> int:
    if not isinstance(number, int) or number < 1:
        raise OptionError(f"{name} is {given!r}; expected a whole number of at least 1, or leave it unset")
    return number
