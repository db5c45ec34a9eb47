"""Convert safetensors to a model folder with an ONNX graph, without PyTorch: ``edge-st convert``."""

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edge_st_runtime.errors import PackageMissingError

from ..folder.atomic import check_target, new_folder
from ..folder.paths import ONNX_FILE, weights_beside
from .source import find_source
from .writing import write_graph


@dataclass(frozen=True)
class Conversion:
    """What was written to ``path``: a model of the class ``model_type``; ``size`` is its graph and weights in bytes."""

    path: Path
    model_type: str
    size: int


def convert_model(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    task: str | None = None,
    force: bool = False,
) -> Conversion:
    """Write ``model``, a Hub name or a folder, to the folder ``out`` with a float32 graph for any ONNX engine.

    The graph is made from config.json and the weights in safetensors. Neither PyTorch nor transformers is needed. The
    model does not run, so it is not compared with the original, and no edge_st.json is written: the folder loads by the
    names of its files. ``edge-st verify OUT --against MODEL`` compares it where PyTorch is installed. ``task``
    ("sentence-embedding", "cross-encoder" or "sparse-encoder") says what to make of a plain transformer that could
    become several of them.

    Raises UnsupportedModelError for an architecture or setting that is not supported, before weights are downloaded;
    PackageMissingError, OptionError, FolderError and HubError. After any exception ``out`` is as it was.
    """
    if find_spec("onnx") is None:
        raise PackageMissingError("edge-st convert needs onnx, which is not installed; pip install onnx")
    target = Path(out)
    check_target(target, force=force)
    source = find_source(model, revision, token, task)
    with new_folder(target, force=force) as folder:
        for name in source.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.described.path / name, folder / name)
        graph = folder / source.route.prefix / ONNX_FILE
        graph.parent.mkdir(parents=True)
        write_graph(source.architecture, source.route.path, graph)
        size = graph.stat().st_size + weights_beside(graph).stat().st_size
    return Conversion(target, source.described.model_type, size)
