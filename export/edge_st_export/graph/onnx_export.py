"""PyTorch to ONNX in float32."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import UnsupportedModelError
from edge_st_runtime.files.reading import read_optional_json

from ..builder.pruning import prune_onnx
from ..builder.reading import read_architecture
from ..builder.writing import write_graph
from ..errors import converting
from ..folder.paths import ONNX_FILE
from .external_data import move_weights_beside
from .leading_modules import LeadingModules
from .optimum_config import graph_config


def to_onnx(leading: LeadingModules) -> Path:
    """Write ``leading`` as onnx/model.onnx in its folder, with the weights in model.onnx_data beside it.

    The inputs are those that the architecture takes. The output is (batch, tokens, hidden) or (batch, dim). Encoders
    that `builder` knows are written by it: with fewer nodes, and for a cross-encoder only as much of the last layer as
    its classifier reads. Others are traced by optimum. Raises ExportError.
    """
    path = leading.path / ONNX_FILE
    path.parent.mkdir(parents=True)
    with converting(f"the conversion of {leading.config.model_type} to ONNX", "report the model's architecture"):
        if not _write(leading, path):
            _trace(leading, path)
    return path


def _write(leading: LeadingModules, path: Path) -> bool:
    """Let the builder write the graph; False where it does not know the encoder."""
    try:
        architecture = read_architecture(leading.route, config=_stored(leading), answers=leading.answers)
    except UnsupportedModelError:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        leading.transformer().save_pretrained(scratch)
        write_graph(architecture, Path(scratch), path)
    return True


def _stored(leading: LeadingModules) -> Mapping[str, Any]:
    """The config.json that transformers reads as the transformer's configuration.

    Each time that it reads one, it halves a window to both sides; what it saves has that done already.
    """
    config = read_optional_json(leading.route.path / "config.json")
    if config.get("use_bidirectional_attention") and config.get("sliding_window"):
        return {**config, "sliding_window": 2 * (config["sliding_window"] - 1)}
    return config


def _trace(leading: LeadingModules, path: Path) -> None:
    from optimum.exporters.onnx import export

    model = leading.model()
    export(model, graph_config(leading, model, "onnx"), path)
    move_weights_beside(path)
    if leading.prunes:
        prune_onnx(path)
    (path.parent / "config.json").unlink(missing_ok=True)  # optimum writes it beside graphs beyond 2 GB
