"""The number of cores that this process may use: the least of its CPU affinity and its cgroup quotas (v1 and v2).

The host's number of cores is wrong in containers and under ``taskset``: an engine that starts that many threads has
more threads than cores.
"""

import math
import os
from pathlib import Path

from ..errors import OptionError

VARIABLE = "EDGE_ST_NUM_THREADS"


def thread_count(requested: int | None = None) -> int:
    """The number of threads to compute with: ``requested``, else ``EDGE_ST_NUM_THREADS``, else `available_cores`.

    Raises OptionError where the argument or the variable is not a positive integer.
    """
    if requested is not None:
        return _positive(requested, requested, "num_threads")
    variable = os.environ.get(VARIABLE, "").strip()
    if not variable:
        return available_cores()
    return _positive(int(variable) if variable.isdecimal() else None, variable, VARIABLE)


def available_cores() -> int:
    """The number of cores by CPU affinity, or the cgroup's quota rounded up if that is less; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def cgroup_quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """The cores that the cgroup grants on average; None where it has no quota or cannot be read."""
    groups = _own_groups(membership)
    limits = [_quota_v2(folder) for folder in _levels(root, groups.get("", ""))]
    limits += [_quota_v1(folder) for folder in _levels(root / "cpu", groups.get("cpu", ""))]
    return min((limit for limit in limits if limit is not None), default=None)


def _own_groups(membership: Path) -> dict[str, str]:
    """The process' group for each controller; the group of version 2, which has all controllers, under ""."""
    try:
        lines = membership.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return {}
    rows = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    return {controller: group.lstrip("/") for _, controllers, group in rows for controller in controllers.split(",")}


def _levels(root: Path, group: str) -> list[Path]:
    """The folders from the group's own up to the root of the hierarchy; the quota of every level applies."""
    folder = root / group
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]


def _quota_v2(folder: Path) -> float | None:
    return _ratio(_read(folder / "cpu.max").split())


def _quota_v1(folder: Path) -> float | None:
    return _ratio([_read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()])


def _ratio(words: list[str]) -> float | None:
    if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def _positive(number: int | None, given: object, name: str) -> int:
    if not isinstance(number, int) or number < 1:
        raise OptionError(f"{name} is {given!r}; expected a whole number of at least 1, or leave it unset")
    return number
