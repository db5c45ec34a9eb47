"""State of one process: objects that must be made anew after a fork, and environment variables."""

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
    """A value that is made when it is first used, and made anew in every forked child process.

    A child never frees its parent's value, not even when it exits: the destructor would wait for threads that do not
    exist in the child.
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
                    self._value, self._pid = self._make(), os.getpid()  # the pid last: it says that the value is there
        return cast("T", self._value)

    def abandon(self) -> None:
        """Keep the value from ever being freed, and forget the lock of a thread that may have been making it."""
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
    """Set the environment variable ``name`` to ``value`` for a ``with`` block, unless it is set already."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
