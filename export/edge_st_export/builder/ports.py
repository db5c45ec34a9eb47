"""What a graph takes, and what it gives."""

from typing import NamedTuple

from edge_st_runtime.engines.signature import HIDDEN_STATES, LOGITS, SCORES

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"


class Output(NamedTuple):
    """The tensor ``value``, which becomes the graph's output ``name`` (batch, *axes) float32."""

    value: str
    name: str
    axes: tuple[str | int, ...]


def hidden_states(value: str, width: int) -> Output:
    """The last layer's output, (batch, tokens, width)."""
    return Output(value, HIDDEN_STATES[0], ("sequence_length", width))


def logits(value: str, labels: int) -> Output:
    """What a classification head gives, (batch, labels)."""
    return Output(value, LOGITS, (labels,))


def scores(value: str) -> Output:
    """What a language model says to texts, (batch, 1)."""
    return Output(value, SCORES, (1,))
