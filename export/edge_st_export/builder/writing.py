"""Write a transformer's graph from its architecture and weights."""

from pathlib import Path

from edge_st_runtime.engines.signature import SENTENCE_EMBEDDING

from ..folder.paths import weights_beside
from .architecture import Architecture
from .checkpoint import Checkpoint
from .pieces import Pieces
from .pruning import prune_onnx


def write_graph(architecture: Architecture, folder: Path, path: Path) -> None:
    """Write the transformer whose weights are in ``folder`` as an ONNX graph to ``path``, with its weights beside it.

    A graph of sparse embeddings can prune them: see `pruning`.
    Raises MissingFileError for missing weights, DamagedFileError for weights of the wrong shape.
    """
    from .graph_writer import GraphWriter

    checkpoint = Checkpoint(folder, architecture.prefix)
    with weights_beside(path).open("wb") as weights:
        graph = GraphWriter(weights, weights_beside(path).name)
        output = architecture.write(Pieces(graph, checkpoint))
    checkpoint.check_complete()
    graph.save(path, architecture.inputs, output)
    if output.name == SENTENCE_EMBEDDING:
        prune_onnx(path)
