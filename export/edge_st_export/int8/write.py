"""Write an int8 graph in the form that its engine runs fastest."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import onnx

from ..errors import ExportError, converting
from ..graph.fused import write_optimized
from ..graph.onnx_export import for_a_while, move_weights_beside, save_with_weights_beside
from .fit import Fit
from .rewrite import INTEGER_PRODUCT, rewrite
from .tables import quantize_tables

_LEVEL = "ORT_ENABLE_EXTENDED"  # what fits any CPU
_PLAIN = ".int8.onnx"


def write_int8(model: Any, folder: Path, fits: Collection[Fit], engine: str, path: Path) -> None:
    """Write the float32 onnx.ModelProto ``model`` with the products of ``fits`` and its tables in int8 to ``path``.

    ``folder`` is where the model's own file stands, and beside it the weights that it does not hold. For ONNX Runtime
    the graph is stored as its optimizer leaves it, so that nothing is fused again at load. Raises ExportError where the
    conversion fails or a product did not become an integer one.
    """
    changed = rewrite(model, fits, engine)
    quantize_tables(changed, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with for_a_while(folder / _PLAIN) as plain, converting(f"the int8 graph for {engine}", "leave int8 out"):
        save_with_weights_beside(changed, plain)
        {"onnx": _optimized, "openvino": _converted}[engine](plain, path)
    if engine == "onnx":
        _check(path, sum(len(fit.group.products) for fit in fits))


def _optimized(plain: Path, path: Path) -> None:
    write_optimized(plain, path, _LEVEL)
    move_weights_beside(path)


def _converted(plain: Path, path: Path) -> None:
    import openvino

    openvino.save_model(openvino.convert_model(plain), path, compress_to_fp16=False)


def _check(path: Path, wanted: int) -> None:
    graph = onnx.load(path, load_external_data=False).graph
    found = sum(node.op_type == INTEGER_PRODUCT for node in graph.node)
    if found != wanted:
        raise ExportError(
            f"{path.name} has {found} integer products of {wanted}; leave int8 out, and report the version of "
            "onnxruntime"
        )
