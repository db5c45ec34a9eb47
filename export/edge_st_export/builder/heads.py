"""Classification heads as ONNX nodes."""

from dataclasses import dataclass

from .pieces import Pieces
from .ports import Output, logits


@dataclass(frozen=True)
class Classifier:
    """The names of a classification head's maps, and the activation function between: dense, activation, projection."""

    dense: str
    projection: str
    activation: str = "tanh"


def classified(pieces: Pieces, x: str, head: Classifier, width: int) -> Output:
    """The logits of the only token ``x`` (batch, 1, width)."""
    wide = pieces.checkpoint.rows(f"{head.dense}.weight")
    x = pieces.linear(pieces.graph.apply("Squeeze", x, pieces.graph.integers(1)), head.dense, width, wide)
    return projected(pieces, pieces.activated(x, head.activation), head.projection, wide)


def projected(pieces: Pieces, x: str, name: str, width: int) -> Output:
    """The logits that the linear map called ``name`` gives for ``x`` (batch, width)."""
    labels = pieces.checkpoint.rows(f"{name}.weight")
    return logits(pieces.linear(x, name, width, labels), labels)
