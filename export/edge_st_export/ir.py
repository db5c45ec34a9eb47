"""A transformer in PyTorch → OpenVINO's intermediate representation in float32, by optimum-intel."""

from pathlib import Path
from typing import Any

from .convert import graph_config
from .errors import ExportError, converting

OPENVINO_FILE = "openvino/openvino_model.xml"


def to_openvino(transformer: Any, tokenizer: Any, folder: Path, onnx_file: Path | None) -> Path:
    """Write openvino/openvino_model.xml and .bin below ``folder``, with the signature of the ONNX graph.

    The weights stay float32; what the engine computes in is decided when the model is opened. Some architectures
    optimum-intel converts for text generation only: those are converted from ``onnx_file``, which makes a slightly
    slower graph. Raises ExportError where there is none.
    """
    from optimum.exporters.openvino import export

    path = folder / OPENVINO_FILE
    path.parent.mkdir(parents=True)
    try:
        config = graph_config(transformer, tokenizer, "openvino")
        export(transformer, config, path, stateful=False, library_name="transformers")
    except Exception as error:  # the libraries raise anything
        if onnx_file is None:
            raise ExportError(
                f"optimum's conversion of {transformer.config.model_type} to OpenVINO failed "
                f"({type(error).__name__}: {error}); add the engine onnx, from whose graph it can be converted too"
            ) from error
        _from_onnx(onnx_file, path)
    return path


def _from_onnx(onnx_file: Path, path: Path) -> None:
    import openvino

    with converting(f"OpenVINO's conversion of {onnx_file.name}", "leave the engine openvino out"):
        openvino.save_model(openvino.convert_model(onnx_file), path, compress_to_fp16=False)
