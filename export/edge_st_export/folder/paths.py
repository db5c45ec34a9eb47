"""Where the graphs of a model folder and their weights are."""

from pathlib import Path

ONNX_FILE = "onnx/model.onnx"
#: by engine, the one that answers a single text sooner first
INT8_FILES = {"onnx": "onnx/model_int8.onnx", "openvino": "openvino/openvino_model_int8.xml"}


def weights_beside(path: Path) -> Path:
    """The file of weights that belongs to the graph at ``path``."""
    return path.with_name(f"{path.name}_data")
