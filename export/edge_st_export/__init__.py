"""Export sentence-transformers models for edge-st, and package them.

For the build machine: exporting needs PyTorch, optimum and the engines.

Each name is imported when it is first used, so that the command line starts fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .builder.conversion import Conversion, convert_model
    from .errors import ExportError
    from .export import export_model
    from .folder.parity import GraphReport
    from .graph.optimize import export_optimized_onnx_model
    from .graph.quantize import export_dynamic_quantized_onnx_model, export_static_quantized_openvino_model
    from .int8.gate import Gate
    from .int8.options import Int8
    from .packing.aws_lambda.pack import pack_lambda
    from .packing.project import pack_project
    from .packing.wheel import pack_wheel
    from .report import ExportReport, Int8MissedError

__all__ = [
    "Conversion",
    "ExportError",
    "ExportReport",
    "Gate",
    "GraphReport",
    "Int8",
    "Int8MissedError",
    "convert_model",
    "export_dynamic_quantized_onnx_model",
    "export_model",
    "export_optimized_onnx_model",
    "export_static_quantized_openvino_model",
    "pack_lambda",
    "pack_project",
    "pack_wheel",
]

_HOMES = {
    "Conversion": "builder.conversion",
    "ExportError": "errors",
    "ExportReport": "report",
    "Gate": "int8.gate",
    "GraphReport": "folder.parity",
    "Int8": "int8.options",
    "Int8MissedError": "report",
    "convert_model": "builder.conversion",
    "export_dynamic_quantized_onnx_model": "graph.quantize",
    "export_model": "export",
    "export_optimized_onnx_model": "graph.optimize",
    "export_static_quantized_openvino_model": "graph.quantize",
    "pack_lambda": "packing.aws_lambda.pack",
    "pack_project": "packing.project",
    "pack_wheel": "packing.wheel",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'edge_st_export' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
