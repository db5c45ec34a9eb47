"""A graph for a folder that has weights alone: written once, by edge-st-export, to the user's cache."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from edge_st_runtime.errors import EdgeSTError, OptionError
from edge_st_runtime.machine.local_cache import cache_folder, digest
from edge_st_runtime.model.variants import NoGraphError

GROUP = "edge_st.converters"
Convert = Literal["auto", "never"]
T = TypeVar("T")
_KIND = "converted"
_logger = logging.getLogger(__name__)


def with_graph(folder: Path, task: str, convert: Convert, opens: Callable[[Path], T]) -> T:
    """What ``opens`` gives for ``folder``; with ``convert="auto"`` for the converted folder where it has no graph.

    ``task`` is what it is opened for, such as "sparse-encoder".
    Raises OptionError for an unknown ``convert``.
    """
    if convert not in get_args(Convert):
        raise OptionError(f"convert is {convert!r}; expected one of {get_args(Convert)}")
    try:
        return opens(folder)
    except NoGraphError as error:
        if convert == "never":
            raise
        return opens(_converted(folder, task, error))


def _converted(folder: Path, task: str, error: NoGraphError) -> Path:
    """The folder in the cache that has a graph for the weights in ``folder``; it is written where it is not there.

    A changed ``folder`` is converted anew. Raises ``error`` where edge-st-export or onnx is not installed, and with the
    reason where this model cannot be converted.
    """
    convert = _converter()
    if convert is None:
        raise error
    try:
        target = cache_folder(_KIND) / f"{folder.name}-{_key(folder, task)}"
        if not target.is_dir():
            _convert(convert, folder, task, target)
    except (EdgeSTError, OSError, RuntimeError) as reason:
        raise NoGraphError(f"{error} (It could not be converted here: {reason})") from reason
    _logger.warning("%s has no graph; the one converted from its weights is taken: %s", folder, target)
    return target


def _convert(convert: Callable[..., Any], folder: Path, task: str, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        convert(folder, target, task=task)
    except OptionError:
        if not target.is_dir():  # else another process was faster
            raise


def _converter() -> Callable[..., Any] | None:
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    found = list(entry_points(group=GROUP, name="onnx")) if find_spec("onnx") else []
    return found[0].load() if found else None


def _key(folder: Path, task: str) -> str:
    """It changes with the folder's place, and with the size or time of any file in it."""
    found = [(path.relative_to(folder).as_posix(), path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return digest(os.fspath(folder.resolve()), task, [(name, stat.st_size, stat.st_mtime_ns) for name, stat in found])
