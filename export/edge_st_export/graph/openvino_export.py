"""PyTorch to OpenVINO's intermediate representation (IR) in float32, by optimum-intel."""

import tempfile
from dataclasses import replace
from pathlib import Path

from ..errors import converting
from ..folder.paths import ONNX_FILE, OPENVINO_FILE
from .attention import finite_masks
from .heads import add_heads_to_openvino
from .leading_modules import LeadingModules
from .onnx_export import to_onnx
from .optimum_config import described_for_openvino
from .pruning import prune_openvino

#: what can make an OpenVINO graph, as the record names it
OPTIMUM_INTEL, OPENVINO = "optimum-intel", "openvino"


def to_openvino(leading: LeadingModules) -> str:
    """Write openvino/openvino_model.xml and .bin into the folder of ``leading``, with the ONNX graph's signature.

    The weights are stored in float32; the precision of the computation is chosen when the model is opened.
    optimum-intel converts some architectures for text generation only, and others not at all. These are converted from
    their ONNX graph, which is written to a temporary folder if it is not there. The result is slightly slower.
    Returns what made it: "optimum-intel", or "openvino" from an ONNX graph. Raises ExportError.
    """
    from optimum.exporters.openvino import export

    from edge_st_runtime.engines import quiet_openvino  # noqa: F401 - before optimum imports openvino

    path, onnx_file = leading.path / OPENVINO_FILE, leading.path / ONNX_FILE
    path.parent.mkdir(parents=True)
    try:
        model = leading.model()
        with finite_masks():
            export(model, described_for_openvino(leading, model), path, stateful=False, library_name="transformers")
        if leading.prunes:
            prune_openvino(path)
        if leading.heads is not None:
            add_heads_to_openvino(path, leading.heads)
    except Exception:  # noqa: BLE001 - the libraries raise anything
        with tempfile.TemporaryDirectory() as scratch:
            if not onnx_file.is_file():
                onnx_file = Path(scratch) / ONNX_FILE
                to_onnx(replace(leading, path=Path(scratch)))
            _from_onnx(onnx_file, path)
        return OPENVINO
    return OPTIMUM_INTEL


def _from_onnx(onnx_file: Path, path: Path) -> None:
    from edge_st_runtime.engines.quiet_openvino import openvino

    with converting(f"OpenVINO's conversion of {onnx_file.name}", "leave the engine openvino out"):
        openvino.save_model(openvino.convert_model(onnx_file), path, compress_to_fp16=False)
