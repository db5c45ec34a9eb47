"""What the name of a graph file says: its precision, and the CPU it was made for.

These are the names that sentence-transformers and other exporters give. They decide where no edge_st.json does.
"""

from collections.abc import Collection
from pathlib import PurePosixPath

_FLOAT32 = {
    "onnx": ("onnx/model.onnx", "model.onnx"),
    "openvino": ("openvino/openvino_model.xml", "openvino_model.xml", "onnx/model.onnx", "model.onnx"),
}
_FLOAT16 = ("onnx/model_O4.onnx", "onnx/model_fp16.onnx")
_INT8_OPENVINO = ("openvino/openvino_model_int8.xml", "openvino/openvino_model_qint8_quantized.xml")
#: each name with the CPU feature that its graph was made for; None: any CPU
_INT8_ONNX = {
    "onnx/model_qint8_avx512_vnni.onnx": "avx512_vnni",
    "onnx/model_qint8_avx512.onnx": "avx512f",
    "onnx/model_quint8_avx2.onnx": "avx2",
    "onnx/model_qint8_arm64.onnx": "asimd",
    "onnx/model_int8.onnx": None,
    "onnx/model_quantized.onnx": None,
}


def graph_named_for(graphs: Collection[str], engine: str, dtype: str, features: frozenset[str]) -> str | None:
    """The first of ``graphs`` whose name says that it suits ``engine``, ``dtype`` and a CPU with ``features``.

    ``dtype="auto"`` means float32. None where there is no such name.
    """
    return next((name for name in _names(engine, dtype, features) if name in graphs), None)


def _names(engine: str, dtype: str, features: frozenset[str]) -> tuple[str, ...]:
    if dtype == "int8" and engine == "openvino":
        return _INT8_OPENVINO
    if dtype == "int8":
        return tuple(name for name, feature in _INT8_ONNX.items() if feature is None or feature in features)
    if engine == "onnx" and dtype == "float16":
        return _FLOAT16
    if engine == "onnx" and dtype == "bfloat16":
        return ()
    return _FLOAT32[engine]  # OpenVINO converts a float32 graph to bfloat16 or float16 while it compiles it


def dtype_by_name(file: str) -> str:
    """ "int8", "float16" or "float32", as the name of a graph file says."""
    stem = PurePosixPath(file).stem
    if "int8" in stem or "quantized" in stem:
        return "int8"
    return "float16" if stem.endswith(("_fp16", "_O4")) else "float32"
