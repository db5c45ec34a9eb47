"""The engine of the server: it joins the texts of many requests."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from edge_st_runtime.text.tokens import TextOrPair, Tokens

from ..models.classes import Model
from ..models.outputs import Output
from ..models.steps import Steps, steps_of
from ..protocols.engine import Engine, Texts
from .record import Record
from .scheduling.jobs import Job
from .scheduling.scheduler import Scheduler

#: characters up to which texts are tokenized on the thread of the event loop, in about a millisecond
_SHORT = 4096


@dataclass(eq=False)
class Loaded:
    """A loaded ``model``, which clients call ``name``; ``identity`` tells its values from those of all others.

    ``steps`` are those of earlier requests, ``users`` the number of requests that it answers, and ``used`` is the time
    of `time.monotonic` when the last one ended.
    """

    model: Model
    name: str
    identity: bytes
    truncate: bool = True
    steps: dict[tuple[Output, str | None, str | None], Steps] = field(default_factory=dict)
    users: int = 0
    used: float = field(default_factory=time.monotonic)


class Joining(Engine):
    """A loaded model for one request, of which it keeps the ``record``.

    Long texts are tokenized on a thread of ``tokenizing``.
    """

    def __init__(self, loaded: Loaded, scheduler: Scheduler, tokenizing: Executor, record: Record) -> None:
        super().__init__(loaded.model, loaded.name)
        self._loaded, self._scheduler, self._tokenizing, self._record = loaded, scheduler, tokenizing, record

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
        characters = sum(len(text) if isinstance(text, str) else len(text[0]) + len(text[1]) for text in texts.texts)
        record.texts += len(texts.texts)
        record.characters += characters
        tokenize = partial(steps.tokens, texts.texts, cut_left=texts.cut_left)
        if characters <= _SHORT:
            found = tokenize()
        else:
            found = await asyncio.get_running_loop().run_in_executor(self._tokenizing, tokenize)
        record.tokenization += time.perf_counter() - start
        lengths = [len(ids) for ids in found.ids]
        record.lengths += lengths
        record.tokens += sum(lengths)
        record.truncated += 0 if steps.limit is None else int((found.counts > steps.limit).sum())
        return found

    async def compute(self, steps: Steps, texts: Sequence[TextOrPair], tokens: Tokens) -> list[Any]:
        """The value of each text; raises OverloadedError where too much waits, and what the model raises."""
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[None] = loop.create_future()
        job = Job(steps, texts, tokens, self.name, lambda _: loop.call_soon_threadsafe(_settle, settled))
        self._scheduler.submit(job, self._loaded.identity)
        try:
            await settled
        except asyncio.CancelledError:
            self._scheduler.cancel(job)
            raise
        started = job.started or job.arrived
        self._record.queue += started - job.arrived
        self._record.inference += time.perf_counter() - started
        self._record.cached += job.cached
        if job.error is not None:
            raise job.error
        return job.values


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
