"""A transformer in PyTorch → OpenVINO's intermediate representation in float32, by optimum-intel."""

import tempfile
from dataclasses import replace
from pathlib import Path

from ..errors import converting
from ..folder.paths import ONNX_FILE
from .leading_modules import Head
from .onnx_export import graph_config, to_onnx
from .pruning import prune_openvino

OPENVINO_FILE = "openvino/openvino_model.xml"


def to_openvino(head: Head) -> Path:
    """Write openvino/openvino_model.xml and .bin into the head's folder, with the signature of the ONNX graph.

    The weights stay float32; what the engine computes in is decided when the model is opened. Some architectures
    optimum-intel converts for text generation only, or not at all: those are converted from the ONNX graph, made on the
    way where there is none, which gives a slightly slower one. Raises ExportError.
    """
    from optimum.exporters.openvino import export

    path, onnx_file = head.path / OPENVINO_FILE, head.path / ONNX_FILE
    path.parent.mkdir(parents=True)
    try:
        model = head.model()
        export(model, graph_config(head, model, "openvino"), path, stateful=False, library_name="transformers")
        if head.prunes:
            prune_openvino(path)
    except Exception:  # noqa: BLE001 - the libraries raise anything
        with tempfile.TemporaryDirectory() as scratch:
            made = onnx_file if onnx_file.is_file() else to_onnx(replace(head, path=Path(scratch)))
            _from_onnx(made, path)
    return path


def _from_onnx(onnx_file: Path, path: Path) -> None:
    import openvino

    with converting(f"OpenVINO's conversion of {onnx_file.name}", "leave the engine openvino out"):
        openvino.save_model(openvino.convert_model(onnx_file), path, compress_to_fp16=False)
