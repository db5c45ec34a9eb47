"""Write an encoder's graph from its architecture and weights."""

from pathlib import Path

from edge_st_runtime.engines.signature import HIDDEN_STATES, LOGITS

from ..folder.paths import weights_beside
from .architecture import Architecture
from .checkpoint import Checkpoint


def write_graph(architecture: Architecture, folder: Path, path: Path) -> None:
    """Write the encoder whose weights are in ``folder`` as an ONNX graph to ``path``, with its weights beside it.

    Raises MissingFileError for missing weights, DamagedFileError for weights of the wrong shape.
    """
    from .graph_writer import GraphWriter
    from .transformer import Encoder, required_weights

    checkpoint = Checkpoint(folder, architecture.family.prefix)
    checkpoint.require(required_weights(architecture))
    with weights_beside(path).open("wb") as weights:
        graph = GraphWriter(weights, weights_beside(path).name)
        encoder = Encoder(graph, checkpoint, architecture)
        value, width = encoder.write()
    if architecture.classifies:
        graph.save(path, encoder.inputs, value, LOGITS, (width,))
    else:
        graph.save(path, encoder.inputs, value, HIDDEN_STATES[0], ("sequence_length", width))
