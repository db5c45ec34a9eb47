"""What the float tensors of an ONNX graph are while texts run through it: how large, and of which shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.quiet_onnxruntime import onnxruntime as ort
from edge_st_runtime.engines.signature import FEEDS, MAX_ACTIVE_DIMS

from .external_data import save_with_weights_beside

_FLOAT = "tensor(float)"
_SIZE, _SHAPE = "observed/size/", "observed/shape/"


@dataclass(frozen=True)
class Seen:
    """The largest finite absolute value of a tensor over all batches, and its shape in each of them."""

    largest: float
    shapes: tuple[tuple[int, ...], ...]


def observe_floats(model: Any, batches: Sequence[TokenBatch], scratch: Path) -> dict[str, Seen]:
    """Every float32 output of a node of the onnx.ModelProto ``model``, while each of ``batches`` runs.

    Only sizes and shapes leave the engine, so that memory is that of a usual run. ``scratch`` is an empty folder.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    save_with_weights_beside(copy, scratch / "model.onnx")  # from here on ``copy`` has no weights
    names = _float_outputs(copy, scratch)
    session = _with_outputs(copy, _probes(copy.graph, names), scratch)
    inputs = [port.name for port in session.get_inputs()]
    sizes: dict[str, float] = dict.fromkeys(names, 0.0)
    shapes: dict[str, list[tuple[int, ...]]] = {name: [] for name in names}
    for batch in batches:
        values = session.run(None, {name: _feed(name, batch) for name in inputs})
        found = dict(zip((port.name for port in session.get_outputs()), values, strict=True))
        for name in names:
            sizes[name] = max(sizes[name], float(found[_SIZE + name]))
            shapes[name].append(tuple(found[_SHAPE + name].tolist()))
    return {name: Seen(sizes[name], tuple(shapes[name])) for name in names}


def _feed(name: str, batch: TokenBatch) -> Any:
    return np.ones(1, dtype=np.int64) if name == MAX_ACTIVE_DIMS else FEEDS[name](batch)


def _float_outputs(model: Any, scratch: Path) -> list[str]:
    """The names of the outputs of nodes that ONNX Runtime finds to be float32."""
    given = [name for node in model.graph.node for name in node.output if name]
    session = _with_outputs(model, [helper.make_empty_tensor_value_info(name) for name in given], scratch)
    return [port.name for port in session.get_outputs() if port.type == _FLOAT]


def _probes(graph: Any, names: Sequence[str]) -> list[Any]:
    """Append the nodes that give the size and the shape of each tensor; returns their outputs."""
    zero = "observed/zero"
    graph.initializer.append(helper.make_tensor(zero, TensorProto.FLOAT, [], [0.0]))
    ports = []
    for name in names:
        absolute, infinite, finite = (f"observed/{step}/{name}" for step in ("absolute", "infinite", "finite"))
        graph.node.extend(
            [
                helper.make_node("Abs", [name], [absolute]),
                helper.make_node("IsInf", [absolute], [infinite]),
                helper.make_node("Where", [infinite, zero, absolute], [finite]),
                helper.make_node("ReduceMax", [finite], [_SIZE + name], keepdims=0),
                helper.make_node("Shape", [name], [_SHAPE + name]),
            ]
        )
        ports += [helper.make_empty_tensor_value_info(kind + name) for kind in (_SIZE, _SHAPE)]
    return ports


def _with_outputs(model: Any, ports: Sequence[Any], scratch: Path) -> Any:
    """A session of ``model`` with other outputs."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.output[:]
    changed.graph.output.extend(ports)
    path = scratch / "observed.onnx"
    onnx.save_model(changed, path)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
