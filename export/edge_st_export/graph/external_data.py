"""The weights of an ONNX graph: inside its file, or beside it as external data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..folder.paths import weights_beside

_LARGE = 1024  # bytes from which a constant is stored beside the graph
_ONE_FILE = 1_900_000_000  # bytes; protobuf's format ends at 2 GiB


def move_weights_beside(path: Path) -> None:
    """Store the weights of the graph at ``path`` in a file of their own, which ONNX Runtime maps instead of copying.

    Weights that are others' transposed are stored once: see `share_weights`.
    """
    import onnx

    from .sharing import share_weights

    model = onnx.load(path)
    share_weights(model.graph)
    for old in path.parent.glob(f"{path.name}?*"):  # onnx would append to it
        old.unlink()
    save_with_weights_beside(model, path)
    for written in filter(Path.is_file, (path, weights_beside(path))):
        written.chmod(0o644)  # onnx makes the weights readable for their owner only


def save_with_weights_beside(model: Any, path: Path) -> None:
    """Write the onnx.ModelProto ``model`` to ``path``, and its large constants to a new file beside it.

    ``model`` no longer holds these constants afterwards. Constants that are external data already stay in their file,
    which must be beside ``path`` too. (onnx.save_model can do the same, but refuses if the working directory has a
    file of that name.)
    """
    import onnx
    from onnx.external_data_helper import set_external_data

    for tensor in model.graph.initializer:
        if tensor.HasField("raw_data") and len(tensor.raw_data) >= _LARGE:
            set_external_data(tensor, weights_beside(path).name)
    onnx.save_model(model, path)


def move_weights_inside(path: Path, target: Path) -> None:
    """Write the graph at ``path`` to ``target`` as one file; a file can hold less than 2 GB."""
    import onnx

    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(onnx.load(path), target)


def one_file(path: Path, scratch: Path) -> Path:
    """A copy of the graph at ``path`` with the weights inside; ``path`` itself where they are too large."""
    beside = weights_beside(path)
    if beside.is_file() and beside.stat().st_size > _ONE_FILE:
        return path
    move_weights_inside(path, scratch / path.name)
    return scratch / path.name


@contextmanager
def temporary_graph(path: Path) -> Iterator[Path]:
    """``path``, for a graph that is deleted with its weights when the block ends."""
    try:
        yield path
    finally:
        for written in (path, weights_beside(path)):
            written.unlink(missing_ok=True)
