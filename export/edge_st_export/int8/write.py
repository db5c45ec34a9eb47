"""Write an int8 graph in the form that its engine runs fastest."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx

from ..convert import move_weights_beside
from ..errors import ExportError, converting
from .fit import Fit
from .rewrite import INTEGER_PRODUCT, rewrite
from .tables import quantize_tables


def write_int8(model: Any, fits: Iterable[Fit], engine: str, path: Path) -> None:
    """Write the float32 onnx.ModelProto ``model`` with the products of ``fits`` and its tables in int8 to ``path``.

    For ONNX Runtime the graph is stored as its optimizer leaves it, so that nothing is fused again at load. Raises
    ExportError where the conversion fails or a product did not become an integer one.
    """
    changed = rewrite(model, fits, engine)
    quantize_tables(changed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, converting(f"the int8 graph for {engine}", "leave int8 out"):
        plain = Path(scratch) / "model.onnx"
        onnx.save_model(changed, plain, save_as_external_data=True, location="model.onnx_data")
        {"onnx": _optimized, "openvino": _converted}[engine](plain, path)
    if engine == "onnx":
        _check(path, sum(len(fit.group.products) for fit in fits))


def _optimized(plain: Path, path: Path) -> None:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED  # what fits any CPU
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", f"{path.name}_data")
    ort.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
    move_weights_beside(path)


def _converted(plain: Path, path: Path) -> None:
    import openvino

    openvino.save_model(openvino.convert_model(plain), path, compress_to_fp16=False)


def _check(path: Path, wanted: int) -> None:
    graph = onnx.load(path, load_external_data=False).graph
    found = sum(node.op_type == INTEGER_PRODUCT for node in graph.node)
    if found != wanted:
        raise ExportError(f"{path.name} has {found} integer products of {wanted}; report the versions of onnxruntime")
