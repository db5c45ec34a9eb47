"""A transformer in PyTorch → ONNX in float32."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_st_runtime.engines.signature import FEEDS
from edge_st_runtime.errors import UnsupportedModelError

from ..builder.architecture import read_architecture
from ..builder.writing import write_graph
from ..errors import converting
from ..folder.paths import ONNX_FILE, weights_beside
from .leading_modules import Head
from .pruning import prune_onnx

_TASK, _CLASSIFICATION = "feature-extraction", "text-classification"
_LARGE = 1024


def to_onnx(head: Head) -> Path:
    """Write ``head`` as onnx/model.onnx in its folder, with the weights in model.onnx_data beside it.

    The output is the head's, (batch, tokens, hidden) or (batch, dim); the inputs are those the architecture takes.
    Encoders that `builder` knows are written by it: fewer nodes, and of a cross-encoder's last layer only what its
    classifier reads. The others are traced by optimum. Raises ExportError.
    """
    path = head.path / ONNX_FILE
    path.parent.mkdir(parents=True)
    with converting(f"the conversion of {head.config.model_type} to ONNX", "report the model's architecture"):
        if not _written(head, path):
            _traced(head, path)
    return path


def _written(head: Head, path: Path) -> bool:
    """Whether the builder knows the encoder and so has written its graph."""
    if not head.alone:
        return False
    try:
        architecture = read_architecture(head.route)
    except UnsupportedModelError:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        head.model().save_pretrained(scratch)
        write_graph(architecture, Path(scratch), path)
    return True


def _traced(head: Head, path: Path) -> None:
    from optimum.exporters.onnx import export

    model = head.model()
    export(model, graph_config(head, model, "onnx"), path)
    move_weights_beside(path)
    if head.prunes:
        prune_onnx(path)
    (path.parent / "config.json").unlink(missing_ok=True)  # optimum writes it beside graphs beyond 2 GB


def move_weights_beside(path: Path) -> None:
    """Keep the weights of the graph at ``path`` in a file of its own, which ONNX Runtime maps instead of copying it."""
    import onnx

    model = onnx.load(path)
    for old in path.parent.glob(f"{path.name}?*"):  # onnx would append to it
        old.unlink()
    save_with_weights_beside(model, path)
    for written in filter(Path.is_file, (path, weights_beside(path))):
        written.chmod(0o644)  # onnx lets nobody else read the weights


def save_with_weights_beside(model: Any, path: Path) -> None:
    """Write the onnx.ModelProto ``model`` to ``path``, and its large constants to a new file beside it.

    Constants that are in another file stay there, which must be beside ``path`` too. They are no longer in ``model``
    afterwards. onnx.save_model's own way refuses where the working folder has a file of that name.
    """
    import onnx
    from onnx.external_data_helper import set_external_data

    for tensor in model.graph.initializer:
        if tensor.HasField("raw_data") and len(tensor.raw_data) >= _LARGE:
            set_external_data(tensor, weights_beside(path).name)
    onnx.save_model(model, path)


@contextmanager
def for_a_while(path: Path) -> Iterator[Path]:
    """``path``, of a graph that is deleted with its weights when the block ends."""
    try:
        yield path
    finally:
        for written in (path, weights_beside(path)):
            written.unlink(missing_ok=True)


def move_weights_inside(path: Path, target: Path) -> None:
    """Write the graph at ``path`` to ``target`` as one file, which has room for less than 2 GB."""
    import onnx

    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(onnx.load(path), target)


def graph_config(head: Head, model: Any, exporter: str) -> Any:
    """optimum's description of the architecture; where it has none that fits, that of a plain encoder.

    None fits where it does not know the architecture, describes it with inputs that this class does not take (the
    encoder of T5 alone has no decoder_input_ids), or where more than the transformer is in the graph.
    """
    from optimum.exporters.tasks import TasksManager

    from .optimum_config import EncoderConfig

    model_type, task = head.config.model_type, _CLASSIFICATION if head.classifies else _TASK
    known = TasksManager._SUPPORTED_MODEL_TYPE.get(model_type, {})  # as optimum's own ask
    if head.alone and task in known.get(exporter, {}):
        constructor = TasksManager.get_exporter_config_constructor(
            exporter, model, task=task, library_name="transformers"
        )
        config = constructor(head.config)
        if set(config.inputs) <= head.accepted.intersection(FEEDS):
            return config
    return EncoderConfig(head.config, head.input_names, head.output)
