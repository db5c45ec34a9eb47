"""A transformer in PyTorch → OpenVINO's intermediate representation in float32, by optimum-intel."""

from pathlib import Path

from .convert import ONNX_FILE, graph_config
from .errors import ExportError, converting
from .heads import Head

OPENVINO_FILE = "openvino/openvino_model.xml"


def to_openvino(head: Head) -> Path:
    """Write openvino/openvino_model.xml and .bin into the head's folder, with the signature of the ONNX graph.

    The weights stay float32; what the engine computes in is decided when the model is opened. Some architectures
    optimum-intel converts for text generation only, or not at all: those are converted from the ONNX graph, which makes
    a slightly slower one. Raises ExportError where there is none.
    """
    from optimum.exporters.openvino import export

    path, onnx_file = head.path / OPENVINO_FILE, head.path / ONNX_FILE
    path.parent.mkdir(parents=True)
    try:
        export(head.model, graph_config(head, "openvino"), path, stateful=False, library_name="transformers")
    except Exception as error:  # the libraries raise anything
        if not onnx_file.is_file():
            raise ExportError(
                f"optimum's conversion of {head.config.model_type} to OpenVINO failed "
                f"({type(error).__name__}: {error}); add the engine onnx, from whose graph it can be converted too"
            ) from error
        _from_onnx(onnx_file, path)
    return path


def _from_onnx(onnx_file: Path, path: Path) -> None:
    import openvino

    with converting(f"OpenVINO's conversion of {onnx_file.name}", "leave the engine openvino out"):
        openvino.save_model(openvino.convert_model(onnx_file), path, compress_to_fp16=False)
