"""A loaded model: texts → tokens → batches → graph → modules. Every arrow is a function of this package."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import TokenBatch
from ..engines.backend import Backend
from ..engines.signature import ACTIVE_INDICES, ACTIVE_VALUES, MAX_ACTIVE_DIMS, SENTENCE_EMBEDDING
from ..errors import DamagedFileError
from ..modules.specs import Features, Module, Pooling, apply_modules
from ..text.tokens import TextOrPair, Tokenizer, Tokens
from ..text.windows import windows
from .batching import pad_batch, plan_batches

T = TypeVar("T")
R = TypeVar("R")
Rows = NDArray[np.int64]
_AHEAD = 8


@dataclass(frozen=True, eq=False)
class _Job:
    """A batch to be: the ``rows`` of a window's ``tokens``, which begins at text ``start``; see `TokenBatch.alone`."""

    start: int
    rows: Rows
    tokens: Tokens
    alone: bool


@dataclass(frozen=True, eq=False)
class Pipeline:
    """The parts of a loaded model; safe to call from many threads.

    ``vocabulary`` is the number of tokens that the graph has embeddings for, ``width`` the last axis of what the
    modules give in the end; None where it is not known.
    """

    tokenizer: Tokenizer
    backend: Backend
    modules: tuple[Module, ...]
    vocabulary: int | None = None
    width: int | None = None

    def run(
        self,
        texts: Sequence[TextOrPair],
        select: Callable[[Features], R],
        *,
        limit: int | None,
        batch_size: int,
        prompt: str | None = None,
        extra: Features = MappingProxyType({}),
        inspect: Callable[[Rows, Tokens], None] | None = None,
    ) -> Iterator[tuple[Rows, R]]:
        """Batches as they finish: the positions of their texts, and what ``select`` takes from their features.

        Texts are tokenized a window at a time, the next one while batches still run, and cut into batches of similar
        length, so memory stays bounded however many there are. ``limit`` is the number of tokens a text is cut to,
        ``prompt`` goes before each. ``extra`` are features for the modules: "prompt_length" for Pooling,
        "max_active_dims" for sparse embeddings. ``inspect`` is shown every window's positions and tokens before it
        runs.
        """
        jobs = self._jobs(texts, limit, prompt, batch_size, inspect)
        return parallel_map(partial(self._compute, select, extra), jobs, self.backend.concurrency)

    def _jobs(
        self,
        texts: Sequence[TextOrPair],
        limit: int | None,
        prompt: str | None,
        batch_size: int,
        inspect: Callable[[Rows, Tokens], None] | None,
    ) -> Iterator[_Job]:
        start = 0
        for window in windows(texts):
            tokens = self.tokenizer(window, limit, prompt)
            if inspect is not None:
                inspect(np.arange(start, start + len(window)), tokens)
            lengths = np.array([len(ids) for ids in tokens.ids])
            engine = self.backend
            batches = list(
                plan_batches(lengths, engine.token_budget, batch_size, engine.concurrency, engine.least_tokens)
            )
            alone = len(batches) == 1 and len(window) == len(texts)
            for rows in batches:
                yield _Job(start, rows, tokens, alone)
            start += len(window)

    def _compute(self, select: Callable[[Features], R], extra: Features, job: _Job) -> tuple[Rows, R]:
        # On the right, wherever the tokenizer pads: every token keeps the position that it has in a text alone. But a
        # graph that pools by itself may count on the left.
        pad_left = self.tokenizer.pad_left and self.pools
        batch = replace(self._batch(job.tokens, job.rows, pad_left, self.backend.padding_step), alone=job.alone)
        if self.vocabulary is not None and batch.input_ids.max(initial=0) >= self.vocabulary:
            raise DamagedFileError(
                f"token {batch.input_ids.max()} of tokenizer.json is beyond the model's {self.vocabulary} embeddings; "
                "they are not of the same model: download or export it again"
            )
        features = {**batch.features(), **extra, **self._run(batch, extra.get(MAX_ACTIVE_DIMS))}
        return job.start + job.rows, select(apply_modules(self.modules, features))

    def _run(self, batch: TokenBatch, max_active_dims: int | None) -> Features:
        """What the graph gives: its whole output, or only the largest values where that is all that is wanted."""
        width = self.backend.width
        if max_active_dims is None or width is None or self.modules or not self.backend.prunes:
            return {self.backend.meaning: self.backend.run(batch)}
        indices, values = self.backend.run_pruned(batch, min(max_active_dims, width))
        return {ACTIVE_INDICES: indices, ACTIVE_VALUES: values, "width": width}

    def _batch(self, tokens: Tokens, rows: Rows, pad_left: bool, step: int = 1) -> TokenBatch:
        ids = [tokens.ids[row] for row in rows]
        type_ids = None if tokens.type_ids is None else [tokens.type_ids[row] for row in rows]
        return pad_batch(ids, type_ids, self.tokenizer.pad_id, pad_left, step, tokens.limit)

    def tokenize(self, texts: Sequence[TextOrPair], limit: int | None, prompt: str | None = None) -> dict[str, Any]:
        """The texts' features before the graph, as one batch in their order."""
        tokens = self.tokenizer(texts, limit, prompt)
        return self._batch(tokens, np.arange(len(texts)), self.tokenizer.pad_left).features()

    def prompt_length(self, prompt: str | None, limit: int | None) -> int | None:
        """Tokens of ``prompt`` that pooling leaves out; raises OptionError where they leave no room for a text."""
        if not prompt:
            return None
        length = self.tokenizer.prompt_length(prompt, limit)
        excludes = any(isinstance(module, Pooling) and not module.include_prompt for module in self.modules)
        return length if excludes else None

    @property
    def pools(self) -> bool:
        """Whether the graph itself gives sentence embeddings, so that there are no token embeddings."""
        return self.backend.meaning == SENTENCE_EMBEDDING


def parallel_map(function: Callable[[T], R], items: Iterator[T], workers: int) -> Iterator[R]:
    """``function`` of every item, in order, on ``workers`` threads; a single item or worker takes the caller's own.

    Some items a worker are taken ahead, so that it need not wait while ``items`` makes the next ones; as many results
    may wait. Where the caller stops early, items that no worker has begun are dropped.
    """
    head = list(islice(items, 2))
    if workers == 1 or len(head) < 2:
        yield from map(function, chain(head, items))
        return
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[R]] = deque()
    try:
        for item in chain(head, items):
            waiting.append(pool.submit(function, item))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
