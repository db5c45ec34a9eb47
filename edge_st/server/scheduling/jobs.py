"""Requests as jobs, and their texts as items."""

import time
from collections.abc import Callable, Sequence
from copy import copy
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.text.tokens import TextOrPair, Tokens

from ...models.steps import Steps

_DIGEST = 16


class Job:
    """The texts of one request to the model that clients call ``name``.

    ``done`` is called once, mostly on a thread that computes: then ``values`` are complete, or ``error`` is set.
    ``size`` is the number of tokens that the model has to read. Times are of `time.perf_counter`, in seconds.
    """

    def __init__(
        self, steps: Steps, texts: Sequence[TextOrPair], tokens: Tokens, name: str, done: Callable[["Job"], Any]
    ) -> None:
        self.steps, self.texts, self.tokens, self.name, self.done = steps, texts, tokens, name, done
        self.values: list[Any] = [None] * len(texts)
        self.error: Exception | None = None
        self.items: list[Item] = []
        self.remaining = len(texts)
        self.size = sum(map(len, tokens.ids))
        self.cached = 0
        self.arrived = time.perf_counter()
        self.started: float | None = None

    def keys(self, identity: bytes) -> list[bytes]:
        """What tells each text's value from all others; ``identity`` is that of the model."""
        ids, types = self.tokens.ids, self.tokens.type_ids
        start = blake2b(identity + repr(self.steps.kind).encode(), digest_size=_DIGEST)
        found = []
        for place, row in enumerate(ids):
            key = start.copy()
            key.update(row.tobytes())
            if types is not None:
                key.update(types[place].tobytes())
            found.append(key.digest())
        return found


class Item:
    """A text to compute, and the places in jobs that wait for its value.

    ``waiting`` is True until it is taken into a batch, or no job wants it any more.
    """

    __slots__ = ("arrived", "ids", "key", "model", "size", "small", "steps", "text", "types", "waiters", "waiting")

    def __init__(self, job: Job, place: int, key: bytes, *, small: bool) -> None:
        tokens, self.model = job.tokens, job.name
        self.steps, self.text, self.key, self.small = job.steps, job.texts[place], key, small
        self.ids: NDArray[np.int32] = tokens.ids[place]
        self.types = None if tokens.type_ids is None else tokens.type_ids[place]
        self.size = max(1, len(self.ids))
        self.arrived = job.arrived
        self.waiters: list[tuple[Job, int]] = [(job, place)]
        self.waiting = True

    def for_small(self) -> "Item":
        """An item that takes this one's place among those of small requests."""
        found = copy(self)
        found.small = found.waiting = True
        self.waiters = []
        return found


def tokens_of(items: Sequence[Item], limit: int | None) -> Tokens:
    """The tokens of ``items``, which all have types or none."""
    ids = [item.ids for item in items]
    types = [item.types for item in items if item.types is not None]
    return Tokens(ids, types or None, np.array([len(row) for row in ids]), limit)
