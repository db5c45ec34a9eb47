"""A transformer in PyTorch → ONNX in float32, by optimum."""

import inspect
from pathlib import Path
from typing import Any

from edge_st_runtime.signature import FEEDS

from .errors import converting

TASK = "feature-extraction"
ONNX_FILE = "onnx/model.onnx"
_LARGE = 1024


def to_onnx(transformer: Any, tokenizer: Any, folder: Path) -> Path:
    """Write ``transformer`` as onnx/model.onnx below ``folder``, with the weights in model.onnx_data beside it.

    The output is ``last_hidden_state`` (batch, tokens, hidden); the inputs are those the architecture takes.
    Raises ExportError.
    """
    from optimum.exporters.onnx import export

    path = folder / ONNX_FILE
    path.parent.mkdir(parents=True)
    with converting(
        f"optimum's conversion of {transformer.config.model_type} to ONNX", "try the engine openvino alone"
    ):
        export(transformer, graph_config(transformer, tokenizer, "onnx"), path)
        move_weights_beside(path)
    (path.parent / "config.json").unlink(missing_ok=True)  # optimum writes it beside graphs beyond 2 GB
    return path


def weights_beside(path: Path) -> Path:
    """The file of weights that belongs to the graph at ``path``."""
    return path.with_name(f"{path.name}_data")


def move_weights_beside(path: Path) -> None:
    """Keep the weights of the graph at ``path`` in a file of its own, which ONNX Runtime maps instead of copying it."""
    import onnx

    model = onnx.load(path)
    for old in path.parent.glob(f"{path.name}?*"):  # onnx would append to it
        old.unlink()
    onnx.save_model(model, path, save_as_external_data=True, location=weights_beside(path).name, size_threshold=_LARGE)
    for written in filter(Path.is_file, (path, weights_beside(path))):
        written.chmod(0o644)  # onnx lets nobody else read the weights


def move_weights_inside(path: Path, target: Path) -> None:
    """Write the graph at ``path`` to ``target`` as one file, which has room for less than 2 GB."""
    import onnx

    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(onnx.load(path), target)


def graph_config(transformer: Any, tokenizer: Any, exporter: str) -> Any:
    """optimum's description of the architecture; where it has none that fits, that of a plain encoder.

    None fits where it does not know the architecture, or describes it with inputs that this class does not take:
    the encoder of T5 alone has no decoder_input_ids.
    """
    from optimum.exporters.tasks import TasksManager

    from .encoder_config import EncoderConfig

    accepted = inspect.signature(transformer.forward).parameters
    model_type = transformer.config.model_type
    if model_type in TasksManager._SUPPORTED_MODEL_TYPE:  # as optimum's own exporters ask
        constructor = TasksManager.get_exporter_config_constructor(
            exporter, transformer, task=TASK, library_name="transformers"
        )
        config = constructor(transformer.config)
        if set(config.inputs) <= set(accepted).intersection(FEEDS):
            return config
    return EncoderConfig(transformer.config, [name for name in tokenizer.model_input_names if name in accepted])
