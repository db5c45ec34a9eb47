"""PyTorch to ONNX in float32."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.version import Version
from safetensors.torch import save_model
from transformers import __version__ as transformers_version

from edge_st_runtime.errors import UnsupportedModelError
from edge_st_runtime.files.reading import read_optional_json

from ..builder.checkpoint import SINGLE_FILE
from ..builder.pruning import prune_onnx
from ..builder.reading import read_architecture
from ..builder.writing import write_graph
from ..errors import converting
from ..folder.paths import ONNX_FILE
from .external_data import move_weights_beside
from .heads import add_heads_to_onnx
from .leading_modules import LeadingModules
from .optimum_config import described_for_onnx
from .torch_onnx import trace_with_torch

#: what can write an ONNX graph, as the record names it
BUILDER, OPTIMUM, TORCH = "edge-st", "optimum-onnx", "torch.onnx"
_IS_CAUSAL_SINCE = Version("5.2")


def to_onnx(leading: LeadingModules) -> str:
    """Write ``leading`` as onnx/model.onnx in its folder, with the weights in model.onnx_data beside it.

    The inputs are those that the architecture takes. The output is (batch, tokens, hidden) or (batch, dim). Returns
    what wrote the graph: "edge-st" where `builder` knows the encoder, with fewer nodes, and for a cross-encoder only as
    much of the last layer as its classifier reads; "optimum-onnx" where that is installed and describes it; else
    "torch.onnx". Raises ExportError.
    """
    path = leading.path / ONNX_FILE
    path.parent.mkdir(parents=True)
    architecture = leading.config.model_type or type(leading.modules[0]).__name__
    with converting(f"the conversion of {architecture} to ONNX", "report the model's architecture"):
        maker = BUILDER if _write(leading, path) else _trace(leading, path)
        if leading.heads is not None:
            add_heads_to_onnx(path, leading.heads)
        return maker


def _write(leading: LeadingModules, path: Path) -> bool:
    """Let the builder write the graph; False where it does not know the encoder."""
    try:
        architecture = read_architecture(leading.route, config=_stored(leading), answers=leading.answers)
    except UnsupportedModelError:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        _save(leading.transformer(), Path(scratch))
        write_graph(architecture, Path(scratch), path)
    return True


def _stored(leading: LeadingModules) -> Mapping[str, Any]:
    """The config.json that transformers reads as the transformer's configuration.

    When it reads one, it halves a window to both sides, and some versions save the half. Versions that do not know
    is_causal compute as without it.
    """
    config = read_optional_json(leading.route.path / "config.json")
    if Version(transformers_version) < _IS_CAUSAL_SINCE:
        config.pop("is_causal", None)
    if config.get("use_bidirectional_attention") and config.get("sliding_window"):
        config["sliding_window"] = 2 * (leading.config.sliding_window - 1)
    return config


def _save(model: Any, folder: Path) -> None:
    """Write the weights of ``model`` by the names that they have on the Hub."""
    if type(model).__module__.startswith("transformers."):
        model.save_pretrained(folder)
    else:  # its own code: transformers 5 would rename the weights of a model_type that it has, too
        save_model(model, str(folder / SINGLE_FILE))


def _trace(leading: LeadingModules, path: Path) -> str:
    """Let a library trace the PyTorch modules; returns its name."""
    model = leading.model()
    config = described_for_onnx(leading, model)
    if config is None:
        trace_with_torch(leading, model, path)
    else:
        from optimum.exporters.onnx import export

        export(model, config, path)
    move_weights_beside(path)
    if leading.prunes:
        prune_onnx(path)
    (path.parent / "config.json").unlink(missing_ok=True)  # optimum writes it beside graphs beyond 2 GB
    return TORCH if config is None else OPTIMUM
