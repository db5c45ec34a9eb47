"""What belongs to one process: objects that do not survive a fork, and its environment."""

import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that is made on first use, and anew in every forked child.

    The parent's value is never freed in a child, not even at its exit: the destructor would wait for threads that are
    not there.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: T | None = None
        self._pid: int | None = None
        _alive.add(self)
        _watch_forks()

    def get(self) -> T:
        """The value of this process."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._value, self._pid = self._make(), os.getpid()  # in this order: the pid vouches for the value
        return cast("T", self._value)

    def abandon(self) -> None:
        """Never free the value, and do not wait for a thread that was making it."""
        self._lock = threading.Lock()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._value))


_alive: "weakref.WeakSet[PerProcess[Any]]" = weakref.WeakSet()


@cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_abandon_all)


def _abandon_all() -> None:
    for value in _alive:
        value.abandon()


@contextmanager
def default_environment(name: str, value: str) -> Iterator[None]:
    """Within the ``with`` block, the environment variable ``name`` is ``value`` unless it was set before."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
