"""ONNX Runtime as a backend."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Floats, Ids, TokenBatch
from ..errors import EngineError
from ..files.shortage import shortage
from ..machine.process import PerProcess
from .backend import EngineOptions, no_fork
from .devices import CPU
from .ort_sessions import Session, open_for_long, open_session, state_of
from .quiet_onnxruntime import onnxruntime as ort
from .signature import ACTIVE_INDICES, ACTIVE_VALUES, POOLED, SHARES, Port, Signature, resolve_signature

_DTYPES = {
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_, "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}  # fmt: skip
_TOKEN_BUDGET, _TOKEN_BUDGET_OF_DEVICES = 256, 8192
#: tokens; attention of a longer text is computed in blocks of queries, which takes less time from there on
WHOLE_ATTENTION = 768


class OrtBackend:
    """A graph in ONNX Runtime: one session, one copy of the weights.

    A batch that runs alone uses all threads. Afterwards they spin for a millisecond, waiting for the next batch, and
    then sleep. Several batches at the same time run on one thread each, which is fastest.

    The first text of more than `WHOLE_ATTENTION` tokens opens a second session over the same weights, for such texts.

    On other devices one batch runs at a time, while the next is prepared.
    """

    def __init__(self, graph: Path, options: EngineOptions) -> None:
        self._options = options
        self._session = PerProcess(partial(open_session, graph, options))
        opening = partial(open_for_long, graph.absolute(), options, self._session, state_of(graph))
        self._session_for_long = PerProcess(opening)
        session = self._session.get().session
        on_cpu = session.get_providers()[0] == CPU
        self.token_budget = options.token_budget or (_TOKEN_BUDGET if on_cpu else _TOKEN_BUDGET_OF_DEVICES)
        # smaller batches are computed one after the other, by all threads or the whole device together
        self.least_tokens = 128 if on_cpu else self.token_budget
        self.padding_step = 1 if on_cpu else 8  # kernels for attention want multiples of 8
        self.concurrency = options.num_threads if on_cpu else min(2, options.num_threads)
        self.pooled = options.pooled if any(port.name == POOLED for port in session.get_outputs()) else None
        signature = _signature(graph, session, options)
        self._signature = replace(signature, rows=options.rows)
        self.meaning, self.output = self._signature.meaning, self._signature.output
        self.width, self.prunes = self._signature.width, self._signature.prunes

    def run(self, batch: TokenBatch) -> Floats:
        """Run the graph; raises EngineError."""
        (output,) = self._run([self._signature.output], batch)
        return np.asarray(output, dtype=np.float32)

    def run_pruned(self, batch: TokenBatch, max_active_dims: int) -> tuple[Ids, Floats]:
        """Run a graph that prunes; raises EngineError."""
        indices, values = self._run([ACTIVE_INDICES, ACTIVE_VALUES], batch, max_active_dims)
        return indices, np.asarray(values, dtype=np.float32)

    def run_outputs(self, batch: TokenBatch, names: Sequence[str]) -> list[Floats]:
        """Run a graph with several heads; raises EngineError."""
        return [np.asarray(output, dtype=np.float32) for output in self._run(list(names), batch)]

    def run_pooled(self, batch: TokenBatch, shares: Mapping[str, Floats]) -> Floats:
        """Run a graph that pools as `pooled` says; raises EngineError."""
        (output,) = self._run([POOLED], batch, shares=shares)
        return np.asarray(output)

    def _run(
        self,
        outputs: list[str],
        batch: TokenBatch,
        max_active_dims: int = 1,
        shares: Mapping[str, Floats] | None = None,
    ) -> list[Any]:
        feeds = self._signature.feeds(batch, max_active_dims)
        if self.pooled is not None:  # the engine wants every input, though this output may not depend on it
            unused = np.zeros(batch.shape, dtype=np.float32)
            feeds |= {f"{SHARES}{mode}": (shares or {}).get(mode, unused) for mode in self.pooled.modes}
        session = self._session_for(*batch.shape)
        try:
            with no_fork:
                return session.run(outputs, feeds, urgent=batch.urgent)
        except Exception as error:  # onnxruntime's errors share no base
            doing = f"ONNX Runtime failed on a batch of shape {batch.shape}"
            raise shortage(error, doing) or EngineError(f"{doing}: {error}") from error

    def _session_for(self, texts: int, tokens: int) -> Session:
        return (self._session_for_long if texts == 1 and tokens > WHOLE_ATTENTION else self._session).get()

    def info(self) -> dict[str, Any]:
        """The engine, its version, the providers that the session really has, and its threads."""
        return {
            "engine": "onnx",
            "engine_version": VERSION,
            "providers": self._session.get().session.get_providers(),
            "threads": self._options.num_threads,
        }


open_graph = OrtBackend
VERSION = str(ort.__version__)


def _signature(graph: Path, session: ort.InferenceSession, options: EngineOptions) -> Signature:
    inputs, outputs = (
        [port for port in _ports(nodes) if not port.name.startswith(SHARES)]
        for nodes in (session.get_inputs(), session.get_outputs())
    )
    return resolve_signature(graph.name, inputs, outputs, scores=options.scores, wanted=options.outputs)


def _ports(nodes: Iterable[Any]) -> list[Port]:
    return [
        Port(node.name, np.dtype(_DTYPES.get(node.type, np.float32)), len(node.shape), _last(node.shape))
        for node in nodes
    ]


def _last(shape: Sequence[int | str | None]) -> int | None:
    return shape[-1] if shape and isinstance(shape[-1], int) else None
