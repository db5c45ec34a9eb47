"""The memory that this process may use."""

import gc
import os
import sys

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


def give_back_memory() -> None:
    """Return to the system what is not used any more, as after a model is unloaded: C's library keeps some of it."""
    gc.collect()
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
        if trim is not None:
            trim(0)
