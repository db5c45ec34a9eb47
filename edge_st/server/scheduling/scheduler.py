"""The threads that compute, and the order in which they take what waits."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_st_runtime.machine.background import give_way

from ...protocols.fields import OverloadedError, UnavailableError
from .cache import Cache
from .jobs import Item, Job, tokens_of
from .lane import Lane

#: a request with at most so many tokens goes before larger ones
SMALL = 512
_SMALL_SHARE = 8
_PATIENCE = 0.5
_RATE_WEIGHT = 0.05
_LONGEST_RETRY = 60
_logger = logging.getLogger(__name__)


class Scheduler:
    """Computes jobs on ``threads`` threads for small requests, and as many of lower priority for the others.

    Items of the same kind are computed together, whichever requests they are from. A text that waits or is computed
    already is not computed again. Where large requests made no progress for half a second, the threads of small ones
    take a batch of them. ``batched`` is told the model's name, the texts and the tokens of each batch.

    At most ``queue_tokens`` tokens of large requests wait, and an eighth of that of small ones, which so wait less
    long. A request that finds none of its kind waiting may be of any size. ``cache_bytes`` are kept for values of texts
    that come again.
    """

    def __init__(
        self,
        threads: int,
        queue_tokens: int,
        cache_bytes: int = 0,
        batched: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        self.threads, self._queue_tokens, self._batched = threads, queue_tokens, batched
        self._lock = threading.Lock()
        self._lanes = {True: Lane(), False: Lane()}
        self._wakes = {small: threading.Condition(self._lock) for small in self._lanes}
        self._running = dict.fromkeys(self._lanes, 0)
        self._in_flight: dict[bytes, Item] = {}
        self._cache = Cache(cache_bytes) if cache_bytes else None
        self._seconds_a_token = 0.0
        self._progress = 0.0
        self._workers: list[threading.Thread] = []
        self._closed = False

    def start(self) -> None:
        """Start the threads, which else the first job does."""
        with self._lock:
            self._begin()

    def submit(self, job: Job, identity: bytes) -> None:
        """Have ``job`` computed; ``identity`` is that of its model.

        Raises OverloadedError where too much waits, UnavailableError after `close`.
        """
        keys, small = job.keys(identity), job.size <= SMALL
        with self._lock:
            if self._closed:
                raise _ended()
            self._admit(job.size, small)
            self._begin()
            if not self._lanes[False]:
                self._progress = time.perf_counter()
            for place in sorted(range(len(keys)), key=lambda place: -len(job.tokens.ids[place])):
                self._add(job, place, keys[place], small)
            self._wakes[small].notify(len(job.items))
        if not job.remaining:
            job.done(job)

    def cancel(self, job: Job) -> None:
        """Drop the work that nobody waits for any more."""
        with self._lock:
            self._drop(job)

    def waiting(self, model: str) -> tuple[int, int]:
        """The texts and the tokens that wait for the model of this name."""
        lanes = self._lanes.values()
        return sum(lane.texts[model] for lane in lanes), sum(lane.tokens[model] for lane in lanes)

    def close(self) -> None:
        """End the threads, after the batches that they compute. What then still waits gets UnavailableError."""
        with self._lock:
            self._closed = True
            for wake in self._wakes.values():
                wake.notify_all()
        for worker in self._workers:
            worker.join()
        for item in list(self._in_flight.values()):
            self._deliver([item], [None], _ended())

    def _admit(self, size: int, small: bool) -> None:
        waiting = self._lanes[small].tokens.total()
        most = self._queue_tokens // _SMALL_SHARE if small else self._queue_tokens
        if waiting and waiting + size > most:
            seconds = math.ceil(waiting * self._seconds_a_token / self.threads)
            raise OverloadedError(
                f"{waiting} tokens wait, of at most {most}; this request has {size}: try again later",
                retry_after=min(max(1, seconds), _LONGEST_RETRY),
            )

    def _begin(self) -> None:
        if not self._workers:
            for small in self._lanes:
                for number in range(self.threads):
                    name = f"edge-st {'small' if small else 'bulk'} {number}"
                    worker = threading.Thread(target=self._work, args=(small,), name=name, daemon=True)
                    self._workers.append(worker)
                    worker.start()

    def _add(self, job: Job, place: int, key: bytes, small: bool) -> None:
        known = None if self._cache is None else self._cache.get(key)
        if known is not None:
            job.values[place] = known
            job.remaining -= 1
            job.cached += 1
            return
        item = self._in_flight.get(key)
        if item is None:
            item = self._in_flight[key] = Item(job, place, key, small=small)
            self._lanes[small].add(item)
        else:
            item.waiters.append((job, place))
        job.items.append(item)
        if small and item.waiting and not item.small:
            self._hasten(item)

    def _hasten(self, item: Item) -> None:
        """Have the text of ``item`` wait among those of small requests, since one of them wants it now."""
        self._lanes[False].remove(item)
        sooner = self._in_flight[item.key] = item.for_small()
        for job, _ in sooner.waiters:
            job.items.append(sooner)
        self._lanes[True].add(sooner)

    def _drop(self, job: Job) -> None:
        for item in job.items:
            item.waiters = [waiter for waiter in item.waiters if waiter[0] is not job]
            if not item.waiters and item.waiting:
                self._lanes[item.small].remove(item)
                self._in_flight.pop(item.key, None)

    def _work(self, small: bool) -> None:
        if not small:
            give_way()
        while self._compute_next(small):
            pass  # between two batches nothing here knows a model, so that it can be unloaded

    def _compute_next(self, small: bool) -> bool:
        """Wait for a batch and compute it; False at the end."""
        found = self._next(small)
        if found is None:
            return False
        items, alone = found
        try:
            self._compute(items, alone=alone, urgent=small)
        except Exception:  # of what is told of batches and jobs: the thread is needed
            _logger.exception("a batch was computed, but not all could be told of it")
        finally:
            with self._lock:
                self._running[small] -= 1
        return True

    def _next(self, small: bool) -> tuple[list[Item], bool] | None:
        """The next batch, and whether nothing else is to be computed; None at the end."""
        with self._lock:
            while not self._closed:
                items = self._take(small)
                if items:
                    alone = not any(self._running.values()) and not any(map(len, self._lanes.values()))
                    self._running[small] += 1
                    now = time.perf_counter()
                    for job in {id(job): job for item in items for job, _ in item.waiters}.values():
                        job.started = job.started or now
                    return items, alone
                self._wakes[small].wait()
        return None

    def _take(self, small: bool) -> list[Item]:
        lane, now = self._lanes[small], time.perf_counter()
        if small and self._lanes[False] and self._lanes[True] and now - self._progress > _PATIENCE:
            lane = self._lanes[False]
        idle = self.threads - self._running[small]
        items = lane.take(-(-lane.tokens.total() // idle) if idle > 0 else None)
        if lane is self._lanes[False]:
            self._progress = now
        return items

    def _compute(self, items: Sequence[Item], *, alone: bool, urgent: bool) -> None:
        steps, start = items[0].steps, time.perf_counter()
        try:
            places = np.array([next((place for _, place in item.waiters), 0) for item in items])
            tokens = tokens_of(items, steps.limit)
            texts = [item.text for item in items]
            values = steps.values(texts, tokens, places=places, alone=alone, urgent=urgent)
        except Exception as error:  # noqa: BLE001 - it is raised where the values are asked for
            if len(items) > 1:
                for item in items:
                    self._compute([item], alone=alone, urgent=urgent)
            else:
                self._deliver(items, [None], error)
            return
        size = sum(item.size for item in items)
        self._seconds_a_token += _RATE_WEIGHT * ((time.perf_counter() - start) / size - self._seconds_a_token)
        self._deliver(items, values)
        self._batched(items[0].model, len(items), size)

    def _deliver(self, items: Sequence[Item], values: Sequence[Any], error: Exception | None = None) -> None:
        finished: list[Job] = []
        with self._lock:
            for item, value in zip(items, values, strict=True):
                self._in_flight.pop(item.key, None)
                if self._cache is not None and error is None:
                    self._cache.put(item.key, value)
                for job, place in item.waiters:
                    job.values[place] = value
                    job.remaining -= 1
                    if error is not None and job.error is None:
                        job.error = error
                        self._drop(job)
                        finished.append(job)
                    elif not job.remaining and job.error is None:
                        finished.append(job)
        for job in finished:
            job.done(job)


def _ended() -> UnavailableError:
    return UnavailableError("the server ends; ask another one")
