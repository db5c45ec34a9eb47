"""The models and indexes of a server, and what they share: one scheduler, one budget of threads."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from edge_st_runtime.errors import EdgeSTError
from edge_st_runtime.machine.background import give_way
from edge_st_runtime.machine.threads import thread_count

from ..models.classes import Model
from ..protocols.described import Described
from ..protocols.fields import NoSuchTaskError, UnavailableError, UnknownModelError
from ..protocols.listings import Limits
from .config import Config
from .draining import draining
from .joining import Joining, Loaded, Tools
from .metrics import Metrics
from .recent import Recent
from .record import Record
from .scheduling.scheduler import Scheduler
from .served import Served

_MEGABYTE = 2**20
_LOOK_EVERY = 1.0
_RETRY_AFTER = 1.0
_LATEST = ":latest"  # Ollama's clients may put it behind every name


class Service:
    """What ``config`` serves. ``metrics`` are told of every batch, and can ask what waits.

    Threads that load models leave cores to those that compute, and so do the threads of the engines that they start.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.metrics = Metrics(self.waiting, self.loaded)
        self.recent = Recent()
        self.threads = thread_count(config.threads)
        self._aside = ThreadPoolExecutor(1, "edge-st aside", give_way)
        self._loading = ThreadPoolExecutor(1, "edge-st loading", give_way)
        self.scheduler = Scheduler(
            self.threads, config.queue_tokens, int(config.cache_mb * _MEGABYTE), self._count_batch
        )
        self._tools = Tools(self.scheduler, self._aside, config.max_texts)
        self._models = [Served(each, self.threads, self._loading) for each in config.models]
        self._by_name = {name: each for each in self._models for name in (each.name, *each.config.aliases)}
        self._started: asyncio.Task[None] | None = None
        self._unloading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the models, unless they are loaded at their first use; raises what a model that does not load raises."""
        if self._started is None:
            self._started = asyncio.ensure_future(self._start())
        await asyncio.shield(self._started)

    async def stop(self) -> None:
        """End the threads, after what they compute now."""
        for task in (self._started, self._unloading):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, EdgeSTError):
                    await task
        await asyncio.to_thread(self.scheduler.close)
        for executor in (self._aside, self._loading):
            executor.shutdown(cancel_futures=True)

    def check_ready(self) -> None:
        """Raise UnavailableError before the models are loaded, where one did not load, and at the end."""
        if draining():
            raise UnavailableError("the server is about to end; ask another one", _RETRY_AFTER)
        started = self._started
        if started is None or not started.done() or started.cancelled():
            raise UnavailableError("the models are being loaded; try again soon", _RETRY_AFTER)
        if started.exception() is not None:
            raise UnavailableError(f"the server did not start: {started.exception()}")

    @asynccontextmanager
    async def engine(self, name: str | None, classes: Sequence[type[Model]], record: Record) -> AsyncIterator[Joining]:
        """The model called ``name`` for one request; None is the first one of ``classes``.

        Raises UnknownModelError, NoSuchTaskError where no model is of these classes, UnavailableError before models are
        loaded, and for one that does not load.
        """
        loaded = await self._find(name, classes)
        record.model = loaded.name
        loaded.users += 1
        start = time.monotonic()
        try:
            yield Joining(loaded, self._tools, record)
        finally:
            self.recent.add(record.texts, time.monotonic() - start)
            loaded.users -= 1
            loaded.used = time.monotonic()

    def described(self) -> list[Described]:
        """All models, for listings."""
        return [each.described() for each in self._models]

    def waiting(self) -> dict[str, tuple[int, int]]:
        """The texts and the tokens that wait for each model."""
        return {each.name: self.scheduler.waiting(each.name) for each in self._models}

    def loaded(self) -> dict[str, bool]:
        """Whether each model is loaded."""
        return {each.name: each.loaded is not None for each in self._models}

    def limits(self, name: str) -> Limits:
        """What is taken for the model called ``name``."""
        served = self._by_name[name]
        batch = None if served.loaded is None else served.loaded.token_budget
        return Limits(self.config.max_texts, None, batch, self.threads, served.config.truncate)

    def statistics(self) -> dict[str, Any]:
        """What waits, and how long the last requests took."""
        waiting, loaded = self.waiting(), self.loaded()
        texts, tokens = (sum(column) for column in zip(*waiting.values(), strict=True))
        return {
            "queue": {"texts": texts, "tokens": tokens},
            **self.recent.statistics(),
            "models": {
                name: {"queue": {"texts": waiting[name][0], "tokens": waiting[name][1]}, "loaded": loaded[name]}
                for name in waiting
            },
        }

    def _count_batch(self, model: str, texts: int, tokens: int) -> None:
        self.metrics.batch(model=model, texts=texts, tokens=tokens)

    async def _start(self) -> None:
        if not self.config.lazy:
            for each in self._models:
                await each.load()
        self.scheduler.start()
        if self.config.unload_after is not None:
            self._unloading = asyncio.ensure_future(self._unload_idle(self.config.unload_after))

    async def _begin(self) -> None:
        """Start where nobody called `start`, as where the application is mounted in another; raises UnavailableError.

        So it is, too, where an event loop ended before the start did.
        """
        started = self._started
        if started is None or started.cancelled() or (not started.done() and started.get_loop().is_closed()):
            started = self._started = asyncio.ensure_future(self._start())
        if not started.done():
            await asyncio.sleep(0)  # enough where nothing is to be loaded
        if not started.done() or started.exception() is not None:
            self.check_ready()

    async def _unload_idle(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(min(seconds, _LOOK_EVERY))
            for each in self._models:
                if each.is_idle(seconds):
                    await each.unload()

    async def _find(self, name: str | None, classes: Sequence[type[Model]]) -> Loaded:
        await self._begin()
        if name is not None:
            served = self._by_name.get(name) or self._by_name.get(name.removesuffix(_LATEST))
            if served is None:
                raise UnknownModelError(name, [each.name for each in self._models])
            return await _loaded(served)
        wanted = tuple(each.__name__ for each in classes)
        failed: UnavailableError | None = None
        for served in self._candidates(wanted):
            try:
                loaded = await _loaded(served)
            except UnavailableError as error:
                failed = failed or error
                continue
            if isinstance(loaded.model, tuple(classes)):
                return loaded
        raise failed or NoSuchTaskError(
            f"no model here is a {' or a '.join(wanted)}; there are "
            + ", ".join(f"{each.name} ({each.class_name})" for each in self._models)
        )

    def _candidates(self, wanted: Sequence[str]) -> Iterator[Served]:
        """The models that are of the ``wanted`` classes, or may be: a class is known when a model was loaded once."""
        return (each for each in self._models if each.class_name in ("", *wanted))


async def _loaded(served: Served) -> Loaded:
    try:
        return await served.load()
    except (EdgeSTError, OSError) as error:
        raise UnavailableError(f"the model {served.name!r} does not load: {error}") from error
