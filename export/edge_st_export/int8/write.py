"""Write an int8 graph in the form that is fastest in its engine."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import onnx

from ..errors import ExportError, converting
from ..graph.external_data import move_weights_beside, save_with_weights_beside, temporary_graph
from ..graph.fused import write_optimized
from .fit import Fit
from .rewrite import INTEGER_MATMUL, rewrite
from .tables import quantize_tables

_LEVEL = "ORT_ENABLE_EXTENDED"  # the highest level that does not depend on the CPU
_PLAIN = ".int8.onnx"


def write_int8(model: Any, folder: Path, fits: Collection[Fit], engine: str, path: Path) -> None:
    """Write the float32 onnx.ModelProto ``model`` to ``path``, with the groups of ``fits`` and its tables in int8.

    ``folder`` holds the model's own file and its weights. For ONNX Runtime the graph is stored already optimized, so
    that nothing is fused at load. Raises ExportError where the conversion fails, or where a matrix multiplication of
    ``fits`` is not in int8 afterwards.
    """
    changed = rewrite(model, fits, engine)
    quantize_tables(changed, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_graph(folder / _PLAIN) as plain, converting(f"the int8 graph for {engine}", "leave int8 out"):
        save_with_weights_beside(changed, plain)
        {"onnx": _optimized, "openvino": _converted}[engine](plain, path)
    if engine == "onnx":
        _check(path, sum(len(fit.group.matmuls) for fit in fits))


def write_among(model: Any, fits: Collection[Fit], path: Path) -> None:
    """Write ``model`` to ``path``, with the groups of ``fits`` in int8 for ONNX Runtime, to be measured only.

    It lies in the folder of the model's own file, whose weights it reads, so it is written in no time.
    """
    onnx.save_model(rewrite(model, fits, "onnx"), path)


def _optimized(plain: Path, path: Path) -> None:
    write_optimized(plain, path, _LEVEL)
    move_weights_beside(path)


def _converted(plain: Path, path: Path) -> None:
    from edge_st_runtime.engines.quiet_openvino import openvino

    openvino.save_model(openvino.convert_model(plain), path, compress_to_fp16=False)


def _check(path: Path, wanted: int) -> None:
    graph = onnx.load(path, load_external_data=False).graph
    found = sum(node.op_type == INTEGER_MATMUL for node in graph.node)
    if found != wanted:
        raise ExportError(
            f"{path.name} has {found} of {wanted} matrix multiplications in int8; leave int8 out, and report the "
            "version of onnxruntime"
        )
