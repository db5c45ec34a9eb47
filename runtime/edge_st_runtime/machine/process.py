"""State of one process: objects that must be made anew after a fork, and environment variables."""

import atexit
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

    def renew(self, value: T) -> None:
        """Make the value anew at the next use, unless that has happened since ``value`` was got."""
        with self._lock:
            if self._value is value:
                self._pid = None

    def abandon(self) -> None:
        """Keep the value from ever being freed, and forget the lock of a thread that may have been making it."""
        self._lock = threading.Lock()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._value))


class NoFork:
    """A ``with`` block during which no other thread forks this process: a fork waits for the block's end.

    A child has none of its parent's other threads. What they held at the moment of the fork stays locked in the child
    for ever, and its first call of the same library would hang. A thread that forks within its own block does not wait
    for itself. No fork waits longer than ``patience`` seconds.

    The end of the interpreter waits likewise, and then no other thread enters: Python ends daemon threads wherever they
    are, and an engine aborts the process when that happens within a call.
    """

    def __init__(self, patience: float = 60) -> None:
        self._patience = patience
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._close, after_in_parent=self._open, after_in_child=self._begin)
        atexit.register(self._end)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._inside: dict[int, int] = {}
        self._forks = 0
        self._last: int | None = None

    def __enter__(self) -> None:
        own = threading.get_ident()
        with self._changed:
            while self._forks and own not in self._inside:
                self._changed.wait()
            if self._last not in (None, own):
                self._changed.wait(self._patience)
            self._inside[own] = self._inside.get(own, 0) + 1

    def __exit__(self, *_: object) -> None:
        own = threading.get_ident()
        with self._changed:
            left = self._inside.pop(own, 1) - 1  # none in a child that was forked within the block
            if left:
                self._inside[own] = left
            if self._forks or self._last:
                self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self._last = threading.get_ident()
            self._changed.wait_for(lambda: self._inside.keys() <= {self._last}, self._patience)

    def _close(self) -> None:
        own = {threading.get_ident()}
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: self._inside.keys() <= own, self._patience)

    def _open(self) -> None:
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()


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
