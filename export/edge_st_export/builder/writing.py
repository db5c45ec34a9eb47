"""Write a transformer's graph from its architecture and weights."""

from pathlib import Path

from ..folder.paths import weights_beside
from .architecture import Architecture
from .checkpoint import Checkpoint
from .pieces import Pieces


def write_graph(architecture: Architecture, folder: Path, path: Path) -> None:
    """Write the transformer whose weights are in ``folder`` as an ONNX graph to ``path``, with its weights beside it.

    Raises MissingFileError for missing weights, DamagedFileError for weights of the wrong shape.
    """
    from .graph_writer import GraphWriter

    checkpoint = Checkpoint(folder, architecture.prefix)
    with weights_beside(path).open("wb") as weights:
        graph = GraphWriter(weights, weights_beside(path).name)
        output = architecture.write(Pieces(graph, checkpoint))
    checkpoint.check_complete()
    graph.save(path, architecture.inputs, output)
