"""Heads that give numbers for texts, as ONNX nodes."""

from dataclasses import dataclass
from typing import NamedTuple

from edge_st_runtime.errors import DamagedFileError

from .pieces import Pieces
from .ports import Output, logits, scores


class Answers(NamedTuple):
    """The ids of the tokens by whose logits a language model scores a text: the first, less the other if there is one.

    Source: sentence-transformers' LogitScore.
    """

    true: int
    false: int | None = None


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


def projected(pieces: Pieces, x: str, name: str, width: int, *, bias: bool = True) -> Output:
    """The logits that the linear map called ``name`` gives for ``x`` (batch, width)."""
    labels = pieces.checkpoint.rows(f"{name}.weight")
    return logits(pieces.linear(x, name, width, labels, bias=bias), labels)


def answered(pieces: Pieces, x: str, name: str, width: int, answers: Answers) -> Output:
    """The scores that ``x`` (batch, width) gives by the rows (words, width) called ``name``."""
    words = pieces.checkpoint.rows(name)
    rows = pieces.checkpoint.get(name, (words, width))
    if max(answer or 0 for answer in answers) >= words:
        raise DamagedFileError(
            f"LogitScore reads the logits of the tokens {answers.true} and {answers.false}, but {name} has {words} "
            "rows; download the model again"
        )
    row = rows[answers.true] if answers.false is None else rows[answers.true] - rows[answers.false]
    return scores(pieces.graph.apply("MatMul", x, pieces.graph.weight("answers", row[:, None])))
