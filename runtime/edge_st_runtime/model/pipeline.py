"""A loaded model: texts → tokens → batches → graph → modules. Every arrow is one function of this package."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import TokenBatch
from ..engines.backend import Backend
from ..engines.signature import (
    ACTIVE_INDICES,
    ACTIVE_VALUES,
    MAX_ACTIVE_DIMS,
    SCORES,
    SENTENCE_EMBEDDING,
    TOKEN_EMBEDDINGS,
    TOKEN_WEIGHTS,
)
from ..errors import EngineError, InputError
from ..machine.background import resting
from ..machine.parallel import parallel_map
from ..modules.specs import Features, Module, Pooling, apply_modules
from ..text.expansion import QueryExpansion
from ..text.tokens import TextOrPair, Tokenizer, Tokens, joined
from ..text.windows import windows
from .batching import pad_batch, plan_batches
from .finite import RESULTS, broken_row, not_finite

R = TypeVar("R")
#: positions of texts in a call
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """What is computed together: ``rows`` of ``tokens``, those of ``texts``, whose first one is number ``start``.

    ``alone`` and ``urgent`` as in `TokenBatch`.
    """

    start: int
    texts: Sequence[TextOrPair]
    rows: Rows
    tokens: Tokens
    alone: bool = False
    urgent: bool = False


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is kept of a batch: what ``select`` returns for its features.

    ``extra`` are features for the modules: "prompt_length" for Pooling, "max_active_dims" for sparse embeddings. NaN or
    infinity in one of the features ``checked`` is an error. Without ``tokens`` an engine that pools gives no token
    embeddings. ``outputs`` are those to take of a graph with several heads, in one pass; () takes the usual one.
    """

    select: Callable[[Features], Any]
    extra: Features = field(default_factory=dict)
    checked: Sequence[str] = RESULTS
    tokens: bool = True
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Pipeline:
    """The parts of a loaded route; safe to call from many threads.

    ``width`` is the size of the last axis of the output after all modules, None where it is not known. With
    ``one_by_one`` every batch has one text, for a graph that gives a text another vector beside other texts. In the
    ``background`` few texts are tokenized at a time, on one thread, and every step is followed by a pause.
    """

    tokenizer: Tokenizer
    backend: Backend
    modules: tuple[Module, ...]
    width: int | None = None
    one_by_one: bool = False
    background: bool = False

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
        checked: Sequence[str] = RESULTS,
        places: Rows | None = None,
        tokens: bool = True,
        outputs: tuple[str, ...] = (),
        expansion: QueryExpansion | None = None,
    ) -> Iterator[tuple[Rows, R]]:
        """Run all ``texts``; for each batch, give the positions of its texts and its result.

        Batches are given in order, as soon as each is finished. A batch's result is what ``select`` returns for its
        features. Texts are tokenized a window at a time, while batches of the window before still run, and batches are
        made of texts of similar length, so memory is bounded however many texts there are.

        ``limit`` is the number of tokens that a text is truncated to, ``prompt`` is put before each text, ``expansion``
        fills it up. ``extra`` are features for the modules: "prompt_length" for Pooling, "max_active_dims" for sparse
        embeddings, "task" for token vectors. ``inspect`` is
        called with the positions and tokens of each window before it runs. NaN or infinity in one of the features
        ``checked`` raises NotFiniteError, which names the text by its number among ``places`` (None: its position).
        ``tokens`` and ``outputs`` as in `Wanted`.
        """
        batches = self._batches(texts, limit, prompt, batch_size, inspect, places, expansion)
        wanted = Wanted(select, extra, checked, tokens, outputs)
        return parallel_map(partial(self.compute, wanted, places=places), batches, self.backend.concurrency)

    def _batches(
        self,
        texts: Sequence[TextOrPair],
        limit: int | None,
        prompt: str | None,
        batch_size: int,
        inspect: Callable[[Rows, Tokens], None] | None,
        places: Rows | None,
        expansion: QueryExpansion | None,
    ) -> Iterator[Batch]:
        start = 0
        for window in windows(texts, short=self.background):
            tokens = self.tokens(window, limit, prompt, expansion)
            if inspect is not None:
                inspect(np.arange(start, start + len(window)), tokens)
            self.check(window, tokens, start=start, places=places)
            plan = self.plan(tokens, batch_size)
            alone = len(plan) == 1 and len(window) == len(texts)
            for rows in plan:
                yield Batch(start, window, rows, tokens, alone)
            start += len(window)

    def check(self, texts: Sequence[TextOrPair], tokens: Tokens, *, start: int = 0, places: Rows | None = None) -> None:
        """Raise InputError for one of ``texts`` without a token where the graph gives scores.

        The first text is number ``start`` among ``places``.
        """
        if self.backend.meaning != SCORES or all(map(len, tokens.ids)):
            return
        row = next(row for row, ids in enumerate(tokens.ids) if not len(ids))
        raise InputError(
            f"inputs[{_place(start + row, places)}], {texts[row]!r}: the tokenizer makes no token of it, "
            "and no score can be computed; leave it out"
        )

    def plan(self, tokens: Tokens, batch_size: int) -> list[Rows]:
        """The rows of each batch of texts with ``tokens``; see `plan_batches`."""
        engine, most = self.backend, 1 if self.one_by_one else batch_size
        lengths = np.array([max(len(ids), tokens.least) for ids in tokens.ids])
        return list(plan_batches(lengths, engine.token_budget, most, engine.concurrency, engine.least_tokens))

    def tokens(
        self,
        texts: Sequence[TextOrPair],
        limit: int | None,
        prompt: str | None = None,
        expansion: QueryExpansion | None = None,
        *,
        cut_left: bool | None = None,
    ) -> Tokens:
        """The tokens of ``texts``, each after ``prompt`` and cut to ``limit``; ``expansion`` is noted beside them.

        ``cut_left`` says on which side they are cut, None on the tokenizer's own. Raises OptionError where the
        tokenizer cannot cut on that side.
        """
        tokenizer = self.tokenizer if cut_left is None else self.tokenizer.cutting(left=cut_left)
        if not self.background:
            return replace(tokenizer(texts, limit, prompt), expansion=expansion)
        with resting():
            return replace(joined([tokenizer([text], limit, prompt) for text in texts]), expansion=expansion)

    def compute(self, wanted: Wanted, batch: Batch, places: Rows | None = None) -> tuple[Rows, Any]:
        """The positions of the texts of ``batch``, and its result; raises as `run` does."""
        # Pad on the right even where the tokenizer pads on the left, so that every token has the position that it has
        # when its text is encoded alone. A graph that pools by itself may rely on padding on the left.
        pad_left = self.tokenizer.pad_left and self.pools and not wanted.outputs
        padded = self._padded(batch.tokens, batch.rows, pad_left, self.backend.padding_step)
        padded = replace(padded, alone=batch.alone, urgent=batch.urgent)
        given, modules = {**padded.features(), **wanted.extra}, self.modules
        with resting() if self.background else nullcontext():
            if wanted.tokens or not self._pools_in_graph():
                features = {**given, **self._run(padded, wanted)}
            else:
                features, modules = {**given, **self._run_pooled(padded, given)}, self._modules_after_pooling()
            found = apply_modules(modules, features)
        rows = batch.start + batch.rows
        broken = broken_row(found, wanted.checked)
        if broken is not None:
            place, text = _place(int(rows[broken]), places), batch.texts[int(batch.rows[broken])]
            raise not_finite(self.backend, modules, features, broken, text, place)
        return rows, wanted.select(found)

    def _run(self, batch: TokenBatch, wanted: Wanted) -> Features:
        """The output of the graph; only its ``max_active_dims`` largest values where the graph can select them."""
        if wanted.outputs:
            found = zip(wanted.outputs, self.backend.run_outputs(batch, wanted.outputs), strict=True)
            return {name: self._without_empty(batch, self._shaped(batch, output, name)) for name, output in found}
        width, max_active_dims = self.backend.width, wanted.extra.get(MAX_ACTIVE_DIMS)
        if max_active_dims is None or width is None or self.modules or not self.backend.prunes:
            return {self.backend.meaning: self._without_empty(batch, self._shaped(batch, self.backend.run(batch)))}
        pruned = self.backend.run_pruned(batch, min(max_active_dims, width))
        indices, values = (self._shaped(batch, output) for output in pruned)
        return {ACTIVE_INDICES: indices, ACTIVE_VALUES: values, "width": width}

    def _pools_in_graph(self) -> bool:
        """Whether the engine can pool, and its way of pooling is that of the first module."""
        pooled, first = self.backend.pooled, self.modules[0] if self.modules else None
        return pooled is not None and isinstance(first, Pooling) and first.modes == pooled.modes

    def _modules_after_pooling(self) -> tuple[Module, ...]:
        """The modules that the engine leaves to do."""
        assert self.backend.pooled is not None
        return self.modules[1 + self.backend.pooled.normalize :]

    def _run_pooled(self, batch: TokenBatch, features: Features) -> Features:
        pooling = self.modules[0]
        assert isinstance(pooling, Pooling)
        found = self.backend.run_pooled(batch, pooling.shares(features))
        if found.shape[0] != batch.shape[0]:
            raise self._misshapen(batch, found, batch.shape[:1])
        return {SENTENCE_EMBEDDING: self._without_empty(batch, found)}

    def _shaped(self, batch: TokenBatch, output: Any, meaning: str | None = None) -> Any:
        """``output`` itself; raises EngineError where its shape is not that of the batch."""
        of_tokens = (meaning or self.backend.meaning) in (TOKEN_EMBEDDINGS, TOKEN_WEIGHTS)
        expected = batch.shape if of_tokens else batch.shape[:1]
        if output.shape[: len(expected)] != expected:
            raise self._misshapen(batch, output, expected)
        return output

    def _misshapen(self, batch: TokenBatch, output: Any, expected: tuple[int, ...]) -> EngineError:
        return EngineError(
            f"{self.backend.info()['engine']} gave {self.backend.output} of shape {output.shape} for a batch of "
            f"shape {batch.shape}; expected {expected} and the dimensions. Memory may be short: free some, or pass "
            "a smaller batch_size; if it stays so, export the model again"
        )

    def _without_empty(self, batch: TokenBatch, output: Any) -> Any:
        """``output`` with zeros for texts without a token: attention over nothing is not a number."""
        if self.backend.meaning == SCORES or (some := batch.attention_mask.any(axis=1)).all():
            return output
        return np.where(some.reshape(-1, *[1] * (output.ndim - 1)), output, np.float32(0))

    def _padded(self, tokens: Tokens, rows: Rows, pad_left: bool, step: int = 1) -> TokenBatch:
        ids = [tokens.ids[row] for row in rows]
        type_ids = None if tokens.type_ids is None else [tokens.type_ids[row] for row in rows]
        padded = pad_batch(ids, type_ids, self.tokenizer.pad_id, pad_left, step, tokens.limit, tokens.least)
        return padded if tokens.expansion is None else tokens.expansion(padded)

    def tokenize(
        self,
        texts: Sequence[TextOrPair],
        limit: int | None,
        prompt: str | None = None,
        expansion: QueryExpansion | None = None,
    ) -> dict[str, Any]:
        """The inputs of the graph for ``texts``, as one batch in their order."""
        tokens = replace(self.tokenizer(texts, limit, prompt), expansion=expansion)
        return self._padded(tokens, np.arange(len(texts)), self.tokenizer.pad_left).features()

    def prompt_length(self, prompt: str | None, limit: int | None) -> int | None:
        """Tokens before a text that has ``prompt``, which some kinds of pooling leave out; None for none.

        Raises OptionError where the prompt leaves no room for a text.
        """
        return (self.tokenizer.prompt_length(prompt, limit) or None) if prompt else None

    def prompt_features(self, prompt: str | None, limit: int | None) -> dict[str, int]:
        """What the modules are told of the prompt: its length, where there is one; raises as `prompt_length`."""
        length = self.prompt_length(prompt, limit)
        return {} if length is None else {"prompt_length": length}

    @property
    def pools(self) -> bool:
        """Whether the graph itself pools: it gives sentence embeddings and no token embeddings."""
        return self.backend.meaning == SENTENCE_EMBEDDING


def _place(position: int, places: Rows | None) -> int:
    """The number of a text in its call, where ``places`` has those of the texts that are run."""
    return position if places is None else int(places[position])
