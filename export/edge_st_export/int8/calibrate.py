"""Calibration: the inputs of a graph's matrix multiplications while texts run through it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats, TokenBatch
from edge_st_runtime.engines.quiet_onnxruntime import onnxruntime as ort
from edge_st_runtime.engines.signature import FEEDS, MAX_ACTIVE_DIMS

from ..graph.external_data import temporary_graph

_ROWS = 2048  # how many rows of each input are kept to fit the scales to
_OBSERVED = ".observed.onnx"


@dataclass(frozen=True, eq=False)
class ActivationStats:
    """What was observed of an input.

    ``rows`` (n, K) are a sample of the tokens; ``low`` and ``high`` (K,) the range of each channel over all tokens.
    """

    rows: Floats
    low: Floats
    high: Floats


def joined_stats(parts: Sequence[ActivationStats]) -> ActivationStats:
    """The statistics of several inputs together."""
    return ActivationStats(
        np.concatenate([part.rows for part in parts]),
        np.min([part.low for part in parts], axis=0),
        np.max([part.high for part in parts], axis=0),
    )


def observe(graph: Path, names: Sequence[str], batches: Sequence[TokenBatch]) -> dict[str, ActivationStats]:
    """Run the ``graph`` on each of ``batches`` and observe the tensors called ``names``.

    There is at least one batch. Each is one text with at least one token, without padding, which would widen ranges.
    """
    kept: dict[str, list[Floats]] = {name: [] for name in names}
    low: dict[str, Floats] = {}
    high: dict[str, Floats] = {}
    drawing, share = np.random.default_rng(0), max(1, -(-_ROWS // max(1, len(batches))))
    with _opened(graph, names) as run:
        for batch in batches:
            for name, found in zip(names, run(batch), strict=True):
                rows = found.reshape(-1, found.shape[-1])
                low[name] = np.minimum(low.get(name, np.inf), rows.min(axis=0))
                high[name] = np.maximum(high.get(name, -np.inf), rows.max(axis=0))
                kept[name].append(rows[drawing.permutation(len(rows))[:share]])
    return {name: ActivationStats(np.concatenate(kept[name])[:_ROWS], low[name], high[name]) for name in names}


@contextmanager
def _opened(graph: Path, names: Sequence[str]) -> Iterator[Callable[[TokenBatch], list[Any]]]:
    """A function that runs a batch and returns the values of ``names``."""
    model = onnx.load(graph, load_external_data=False)
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    with temporary_graph(graph.with_name(_OBSERVED)) as observed:  # beside its weights
        onnx.save_model(model, observed)
        session = ort.InferenceSession(str(observed), options, providers=["CPUExecutionProvider"])
        inputs = [port.name for port in session.get_inputs()]
        yield lambda batch: list(session.run(list(names), {name: _feed(name, batch) for name in inputs}))


def _feed(name: str, batch: TokenBatch) -> NDArray[np.int64]:
    return np.ones(1, dtype=np.int64) if name == MAX_ACTIVE_DIMS else FEEDS[name](batch)
