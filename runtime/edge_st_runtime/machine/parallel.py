"""Work on several threads, or on the caller's own where no thread can be had.

Python starts no work in its thread pools once the main thread has ended: in ``atexit`` functions, in finalizers and in
threads that outlive the main thread. The work is then done by the caller itself, one item after the other.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import chain, islice
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 8


class Workers:
    """``count`` threads, for a ``with`` block. At its end, work that has not begun is dropped."""

    def __init__(self, count: int) -> None:
        try:
            from concurrent.futures import ThreadPoolExecutor  # which fails as well by then

            self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(count)
        except (ImportError, RuntimeError):
            self._pool = None

    def submit(self, function: Callable[..., R], *arguments: Any) -> "Future[R]":
        """The future result of ``function``; it is called here where no thread takes it."""
        if self._pool is not None:
            try:
                return self._pool.submit(function, *arguments)
            except RuntimeError:  # the main thread has ended, or the system gives no more threads
                pass
        future: Future[R] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def parallel_map(function: Callable[[T], R], items: Iterator[T], workers: int) -> Iterator[R]:
    """``function`` of every item, in order, on ``workers`` threads.

    A single item, or a single worker, runs on the caller's thread. Up to eight items for each worker are queued, so
    that no worker waits while ``items`` makes the next ones. Where the caller stops early, queued items are dropped.
    """
    head = list(islice(items, 2))
    if workers == 1 or len(head) < 2:
        yield from map(function, chain(head, items))
        return
    waiting: deque[Future[R]] = deque()
    with Workers(workers) as threads:
        for item in chain(head, items):
            waiting.append(threads.submit(function, item))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
