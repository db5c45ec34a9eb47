"""The memory that this process may use."""

import os

from .cgroup import cgroup_memory

#: bytes; boards of 512 MB have a little less for programs
LITTLE = 512 * 2**20


def usable_memory() -> int | None:
    """Bytes of memory: the machine's, or the cgroup's limit if that is less; None where the system does not tell."""
    found = [limit for limit in (_physical(), cgroup_memory()) if limit is not None]
    return min(found, default=None)


def has_little_memory() -> bool:
    """Whether this process may use at most `LITTLE` bytes of memory."""
    usable = usable_memory()
    return usable is not None and usable <= LITTLE


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
