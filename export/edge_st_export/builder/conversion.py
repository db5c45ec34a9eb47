"""``edge-st convert``: from safetensors to a model folder with an ONNX graph, without PyTorch."""

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edge_st_runtime.errors import PackageMissingError
from edge_st_runtime.signature import HIDDEN_STATES, LOGITS

from ..graph_files import ONNX_FILE, weights_beside
from ..new_folder import check_target, new_folder
from .checkpoint import Checkpoint
from .source import Source, find_source


@dataclass(frozen=True)
class Conversion:
    """What was written to ``path``: a model of the class ``model_type`` with a graph and its weights of ``size``."""

    path: Path
    model_type: str
    size: int


def convert_model(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    force: bool = False,
) -> Conversion:
    """Write ``model``, a Hub name or a folder, to the folder ``out`` with a float32 graph for any ONNX engine.

    The graph is written out of config.json and the weights in safetensors; nothing of the model runs, and neither
    PyTorch nor transformers is needed. So nothing is proven either, and there is no edge_st.json: the folder loads by
    its files' names. ``edge-st verify OUT --against MODEL`` compares it with the original where that can run.

    Raises UnsupportedModelError for an architecture or setting that is not written here, before weights are
    downloaded; PackageMissingError, OptionError, FolderError and HubError. Whatever is raised, ``out`` stays as it was.
    """
    if find_spec("onnx") is None:
        raise PackageMissingError("edge-st convert needs onnx, which is not installed; pip install onnx")
    target = Path(out)
    check_target(target, force=force)
    source = find_source(model, revision, token)
    with new_folder(target, force=force) as folder:
        for name in source.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.described.path / name, folder / name)
        graph = folder / source.road.prefix / ONNX_FILE
        graph.parent.mkdir(parents=True)
        _write_graph(source, graph)
        size = graph.stat().st_size + weights_beside(graph).stat().st_size
    return Conversion(target, source.described.model_type, size)


def _write_graph(source: Source, path: Path) -> None:
    """The graph at ``path`` and its weights beside it."""
    from .graph import GraphWriter
    from .transformer import Encoder, required_weights

    checkpoint = Checkpoint(source.road.path, source.architecture.family.prefix)
    checkpoint.require(required_weights(source.architecture))
    with weights_beside(path).open("wb") as weights:
        graph = GraphWriter(weights, weights_beside(path).name)
        encoder = Encoder(graph, checkpoint, source.architecture)
        value, width = encoder.write()
    if source.architecture.classifies:
        graph.save(path, encoder.inputs, value, LOGITS, (width,))
    else:
        graph.save(path, encoder.inputs, value, HIDDEN_STATES[0], ("sequence_length", width))
