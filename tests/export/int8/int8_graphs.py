"""Small ONNX graphs with matmuls that int8 takes, and how to run them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_st_export.int8.calibrate import ActivationStats
from edge_st_runtime.arrays import Floats

WIDTH = 64


def values(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """A node; names are separated by spaces."""
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def graph(
    nodes: Sequence[Any],
    constants: Mapping[str, NDArray[Any]],
    outputs: str = "y",
    input_type: int = TensorProto.FLOAT,
    shape: Sequence[Any] = ("batch", "tokens", WIDTH),
) -> Any:
    """A model of ``nodes`` with the input "x"."""
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", input_type, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def constant_names(model: Any) -> set[str]:
    return {tensor.name for tensor in model.graph.initializer}


def seen(rows: Floats) -> ActivationStats:
    """What calibration would keep of these rows."""
    return ActivationStats(rows, rows.min(axis=0), rows.max(axis=0))


def run_onnx(model: Any, x: NDArray[Any], optimized: bool = True) -> list[NDArray[Any]]:
    """The outputs in ONNX Runtime; ``model`` is an onnx.ModelProto or a path."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(None, {"x": x})]


def run_openvino(path: Path, x: NDArray[Any]) -> list[NDArray[Any]]:
    """The outputs of an IR, computed in float32 where they are not in int8."""
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(x)
    return [np.array(found[port]) for port in compiled.outputs]


def saved(model: Any, folder: Path) -> Path:
    """The file of ``model``, with its weights inside."""
    onnx.save_model(model, folder / "model.onnx")
    return folder / "model.onnx"


def relative_error(found: Floats, wanted: Floats) -> float:
    """The mean squared error over the variance."""
    return float(np.square(found - wanted).mean() / wanted.var())
