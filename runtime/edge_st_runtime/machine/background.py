"""Work in the background: few threads of low priority, with pauses, so that it disturbs nothing else."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import OptionError

VARIABLE = "EDGE_ST_PROFILE"
PROFILES = ("default", "background")
_REST = 0.25  # of the time that the work before it took
_WAY, _LEAST = 10, 19  # steps of niceness
_WINDOWS_IDLE = -15
_DARWIN_THREAD, _DARWIN_BACKGROUND = 3, 0x1000


def in_background(profile: str | None = None) -> bool:
    """Whether ``profile``, else ``EDGE_ST_PROFILE``, is "background"; raises OptionError for an unknown one."""
    name, found = (VARIABLE, os.environ.get(VARIABLE) or "default") if profile is None else ("profile", profile)
    if found not in PROFILES:
        raise OptionError(f"{name} is {found!r}; expected {' or '.join(map(repr, PROFILES))}")
    return found == "background"


@contextmanager
def resting() -> Iterator[None]:
    """A ``with`` block after which the thread sleeps for a quarter of the time that the block took."""
    start = time.perf_counter()
    yield
    time.sleep(_REST * (time.perf_counter() - start))


def give_way() -> None:
    """Have the calling thread, and those that it starts, leave a core to others of this process that want one.

    It gets about a tenth of a core's time beside another thread. Linux alone has priorities for a process's threads;
    elsewhere nothing happens.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(_LEAST, os.getpriority(os.PRIO_PROCESS, thread) + _WAY))


def lower_priority() -> None:
    """Give the calling thread the lowest priority that the system has; nothing happens where that is not allowed.

    An unprivileged thread cannot raise its priority again, and one that holds Python's lock makes all others wait. So
    it is for threads of an engine.
    """
    with suppress(OSError, AttributeError):
        if sys.platform == "linux":
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        elif sys.platform == "win32":
            import ctypes

            kernel = ctypes.windll.kernel32
            kernel.SetThreadPriority(ctypes.c_void_p(kernel.GetCurrentThread()), _WINDOWS_IDLE)
        elif sys.platform == "darwin":
            os.setpriority(_DARWIN_THREAD, 0, _DARWIN_BACKGROUND)
