"""What goes into a graph's matrix products while texts run through it."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats, TokenBatch
from edge_st_runtime.signature import FEEDS, MAX_ACTIVE_DIMS

_ROWS = 2048  # of each input, which are kept to fit the scales to


@dataclass(frozen=True, eq=False)
class Seen:
    """An input's ``rows`` (n, K), drawn from all tokens, and each channel's range over all of them: ``low`` and
    ``high`` (K,).
    """

    rows: Floats
    low: Floats
    high: Floats


def joined(parts: Sequence[Seen]) -> Seen:
    """The same of several inputs together."""
    return Seen(
        np.concatenate([part.rows for part in parts]),
        np.min([part.low for part in parts], axis=0),
        np.max([part.high for part in parts], axis=0),
    )


def watch(model: Any, names: Sequence[str], batches: Sequence[TokenBatch]) -> dict[str, Seen]:
    """Run the onnx.ModelProto ``model`` on each of ``batches`` and look at the tensors called ``names``.

    Every batch is one text without padding, so that no channel's range is that of a padded place.
    """
    kept: dict[str, list[Floats]] = {name: [] for name in names}
    low: dict[str, Floats] = {}
    high: dict[str, Floats] = {}
    drawing, share = np.random.default_rng(0), max(1, -(-_ROWS // max(1, len(batches))))
    with _opened(model, names) as run:
        for batch in batches:
            for name, found in zip(names, run(batch), strict=True):
                rows = found.reshape(-1, found.shape[-1])
                low[name] = np.minimum(low.get(name, np.inf), rows.min(axis=0))
                high[name] = np.maximum(high.get(name, -np.inf), rows.max(axis=0))
                kept[name].append(rows[drawing.permutation(len(rows))[:share]])
    return {name: Seen(np.concatenate(kept[name])[:_ROWS], low[name], high[name]) for name in names}


@contextmanager
def _opened(model: Any, names: Sequence[str]) -> Iterator[Callable[[TokenBatch], list[NDArray[Any]]]]:
    """A function from a batch to the values of ``names``."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        onnx.save_model(watched, path, save_as_external_data=True, location="model.onnx_data")
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        inputs = [port.name for port in session.get_inputs()]
        yield lambda batch: session.run(list(names), {name: _feed(name, batch) for name in inputs})


def _feed(name: str, batch: TokenBatch) -> NDArray[np.int64]:
    return np.ones(1, dtype=np.int64) if name == MAX_ACTIVE_DIMS else FEEDS[name](batch)
