"""A backend without an engine: it returns the token ids that it was given, and records every batch."""

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge_st_runtime.arrays import Floats, TokenBatch
from edge_st_runtime.engines.backend import InNumPy


@dataclass(eq=False)
class FakeBackend(InNumPy):
    """Token embeddings (batch, tokens, 2): each token's id and its place in the padded row."""

    concurrency: int = 1
    padding_step: int = 1
    token_budget: int = 512
    meaning: str = "token_embeddings"
    output: str = "last_hidden_state"
    width: int | None = 2
    batches: list[TokenBatch] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    running: int = 0
    most_at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, batch: TokenBatch) -> Floats:
        """Record the batch, its thread, and how many run at once."""
        with self._lock:
            self.batches.append(batch)
            self.threads.append(threading.get_ident())
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
        places = np.broadcast_to(np.arange(batch.shape[1]), batch.shape)
        with self._lock:
            self.running -= 1
        return np.stack((batch.input_ids, places), axis=-1).astype(np.float32)

    def info(self) -> dict[str, Any]:
        """The engine's name."""
        return {"engine": "fake"}
