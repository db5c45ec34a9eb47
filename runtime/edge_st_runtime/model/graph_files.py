"""The files that an engine opens for a graph: the graph itself, and those that hold its weights."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import MissingFileError
from ..files.graph_budget import check_budget
from ..files.onnx_graphs import external_files
from ..files.regular import is_there


def weight_files(graph: Path) -> list[Path]:
    """The files that hold weights of ``graph``: those that an ONNX graph names, the ``.bin`` of an OpenVINO graph.

    Raises MissingFileError, DamagedFileError, and UnsafePathError for a name that leads outside the graph's folder.
    """
    if graph.suffix == ".onnx":
        return external_files(graph)
    return [graph.with_suffix(".bin")] if graph.suffix == ".xml" else []


def readable_weights(graph: Path) -> list[Path]:
    """The `weight_files` of ``graph``, once it is known that an engine may open them and the graph.

    Raises MissingFileError or DamagedFileError where an engine would open what is missing or no regular file, and
    UnsupportedModelError for a graph that need not end, or makes a tensor without bound.
    """
    again = "export the model again or download the whole folder"
    if not is_there(graph):
        raise MissingFileError(f"{graph} is missing; {again}")
    weights = weight_files(graph)
    for path in weights:
        if not is_there(path):
            raise MissingFileError(f"{path} is missing, which has weights of {graph.name}; {again}")
    check_budget(graph)
    return weights


def leads_out(graph: Path, weights: Iterable[Path]) -> bool:
    """Whether links lead from ``weights`` that the ONNX file ``graph`` names out of its folder."""
    folder = graph.parent.resolve()
    return graph.suffix == ".onnx" and not all(path.resolve().is_relative_to(folder) for path in weights)
