"""Where the ONNX graph of a model folder and its weights are."""

from pathlib import Path

ONNX_FILE = "onnx/model.onnx"


def weights_beside(path: Path) -> Path:
    """The file of weights that belongs to the graph at ``path``."""
    return path.with_name(f"{path.name}_data")
