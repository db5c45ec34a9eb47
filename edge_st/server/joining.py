"""The engine of the server: it joins the texts of many requests."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

from edge_st_runtime.text.tokens import TextOrPair, Tokens

from ..models.classes import Model
from ..models.outputs import Output
from ..models.steps import Steps, steps_of
from ..protocols.engine import Engine, Texts
from ..protocols.fields import RequestError
from .record import Record
from .scheduling.jobs import Job
from .scheduling.scheduler import Scheduler

_T = TypeVar("_T")
#: characters up to which texts are tokenized on the thread of the event loop, in about a millisecond
_SHORT = 4096


@dataclass(eq=False)
class Loaded:
    """A loaded ``model``, which clients call ``name``; ``identity`` tells its values from those of all others.

    ``steps`` are those of earlier requests, ``users`` the number of requests that it answers, and ``used`` is the time
    of `time.monotonic` when the last one ended. ``kept`` is what others keep as long as it is loaded.
    """

    model: Model
    name: str
    identity: bytes
    truncate: bool = True
    steps: dict[tuple[Output, str | None, str | None], Steps] = field(default_factory=dict)
    users: int = 0
    used: float = field(default_factory=time.monotonic)
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def token_budget(self) -> int | None:
        """The tokens that are computed together at most; None before the first request."""
        return next((steps.pipeline.backend.token_budget for steps in self.steps.values()), None)


class Tools(NamedTuple):
    """What all requests share: the ``scheduler``, and a thread for what takes long but is not for the scheduler.

    A request has at most ``max_texts``.
    """

    scheduler: Scheduler
    aside: Executor
    max_texts: int | None = None


class Joining(Engine):
    """A loaded model for one request, of which it keeps the ``record``.

    ``tools`` are those of all requests.
    """

    def __init__(self, loaded: Loaded, tools: Tools, record: Record) -> None:
        super().__init__(loaded.model, loaded.name, truncate=loaded.truncate)
        self._loaded, self._tools, self._record = loaded, tools, record

    @property
    def kept(self) -> dict[str, Any]:
        """What others keep by their names as long as the model is loaded."""
        return self._loaded.kept

    async def call(self, function: Callable[[], _T]) -> _T:
        """The result of ``function``, which is called on another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._tools.aside, function)

    def steps(self, model: Model, output: Output, task: str | None, prompt_name: str | None) -> Steps:
        """The steps of ``model`` to ``output``, the same for all requests of a kind."""
        known, key = self._loaded.steps, (output, task, prompt_name)
        found = known.get(key)
        if found is None:
            found = known[key] = steps_of(model, output, task, prompt_name)
        return found

    async def tokens(self, steps: Steps, texts: Texts) -> Tokens:
        """The tokens of ``texts``."""
        record, start = self._record, time.perf_counter()
        self._check_count(texts)
        characters = sum(len(text) if isinstance(text, str) else len(text[0]) + len(text[1]) for text in texts.texts)
        record.texts += len(texts.texts)
        record.characters += characters
        tokenize = partial(steps.tokens, texts.texts, cut_left=texts.cut_left)
        if characters <= _SHORT:
            found = tokenize()
        else:
            found = await self.call(tokenize)
        record.tokenization += time.perf_counter() - start
        lengths = [len(ids) for ids in found.ids]
        record.lengths += lengths
        record.tokens += sum(lengths)
        record.truncated += 0 if steps.limit is None else int((found.counts > steps.limit).sum())
        return found

    def _check_count(self, texts: Texts) -> None:
        found, most = len(texts.texts), self._tools.max_texts
        if most is not None and found > most:
            self._record.failure = "batch_size"
            raise RequestError(
                f"`{texts.name}` has {found} texts; expected at most {most}: send them in several requests", texts.name
            )

    async def compute(self, steps: Steps, texts: Sequence[TextOrPair], tokens: Tokens) -> list[Any]:
        """The value of each text; raises OverloadedError where too much waits, and what the model raises."""
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[None] = loop.create_future()
        job = Job(steps, texts, tokens, self.name, lambda _: _settle_on(loop, settled))
        self._tools.scheduler.submit(job, self._loaded.identity)
        try:
            await settled
        except asyncio.CancelledError:
            self._tools.scheduler.cancel(job)
            raise
        started = job.started or job.arrived
        self._record.queue += started - job.arrived
        self._record.inference += time.perf_counter() - started
        self._record.cached += job.cached
        if job.error is not None:
            raise job.error
        return job.values


def _settle_on(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[None]") -> None:
    with suppress(RuntimeError):  # the loop was closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, future)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
