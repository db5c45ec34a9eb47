"""A real backend that records its batches, and waits before each one until the test lets it go on."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from edge_st.models.steps import Steps
from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.errors import EngineError

_SECONDS = 20
Row = tuple[int, ...]


class Gated:
    """``backend`` behind a gate.

    ``batches`` are the ids of the texts of each batch in the order in which they came to the gate, ``threads`` the
    names of the threads that brought them. ``waits`` says whether a batch has to wait, for which `let` then gives
    leave. A batch with a row of ``broken`` raises EngineError.
    """

    def __init__(self, backend: Any, waits: Callable[[], bool] = lambda: True) -> None:
        self._backend, self._waits = backend, waits
        self._changed, self._left = threading.Condition(), 0
        self.batches: list[list[Row]] = []
        self.threads: list[str] = []
        self.broken: set[Row] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def run(self, batch: TokenBatch) -> Any:
        """The backend's answer."""
        self._pass(batch)
        return self._backend.run(batch)

    def run_pooled(self, batch: TokenBatch, shares: Mapping[str, Any]) -> Any:
        """The backend's answer."""
        self._pass(batch)
        return self._backend.run_pooled(batch, shares)

    def let(self, batches: int = 1) -> None:
        """Let so many batches go on."""
        with self._changed:
            self._left += batches
            self._changed.notify_all()

    def open(self) -> None:
        """Let all batches go on from now on."""
        self._waits = lambda: False
        self.let(10**6)

    def came(self, batches: int) -> None:
        """Wait until so many batches came to the gate."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.batches) >= batches, _SECONDS), self.batches

    def rows(self) -> list[Row]:
        """The ids of all texts so far."""
        return [row for batch in self.batches for row in batch]

    def _pass(self, batch: TokenBatch) -> None:
        rows = [
            tuple(ids[mask.astype(bool)].tolist())
            for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True)
        ]
        with self._changed:
            self.batches.append(rows)
            self.threads.append(threading.current_thread().name)
            self._changed.notify_all()
            if self._waits():
                assert self._changed.wait_for(lambda: self._left > 0, _SECONDS), "the gate stayed shut"
                self._left -= 1
        if self.broken.intersection(rows):
            raise EngineError("the engine failed for one of the texts")


def gated(steps: Steps, waits: Callable[[], bool] = lambda: True) -> tuple[Steps, Gated]:
    """``steps`` with a gate before its backend, and the gate."""
    gate = Gated(steps.pipeline.backend, waits)
    return replace(steps, pipeline=replace(steps.pipeline, backend=gate)), gate  # type: ignore[arg-type]
