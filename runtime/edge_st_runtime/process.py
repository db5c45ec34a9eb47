"""Objects that hold threads, and so do not survive a fork."""

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_abandoned: list[object] = []


class PerProcess(Generic[T]):
    """A value that is made anew in every forked child on first use.

    The parent's value is kept alive in the child: its destructor would wait for threads that are not there.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value, self._pid = make(), os.getpid()

    def get(self) -> T:
        """The value of this process."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    _abandoned.append(self._value)
                    self._value, self._pid = self._make(), os.getpid()
        return self._value
