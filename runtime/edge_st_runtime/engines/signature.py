"""The meaning of a graph's inputs and outputs, found from their names and shapes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import TokenBatch
from ..errors import DamagedFileError, UnsupportedModelError

TOKEN_EMBEDDINGS = "token_embeddings"  # noqa: S105
SENTENCE_EMBEDDING = "sentence_embedding"
SCORES = "scores"
#: the weight of each token of a text (batch, tokens), from which a sparse embedding is made
TOKEN_WEIGHTS = "token_weights"  # noqa: S105
#: the input and the outputs by which a sparse graph of edge-st's exporter gives each text's largest weights only
MAX_ACTIVE_DIMS, ACTIVE_INDICES, ACTIVE_VALUES = "max_active_dims", "active_indices", "active_values"
#: what the names of the inputs begin with, and the name of the output, of a graph that `pooled_graph` made
SHARES, POOLED = "pooled/", "pooled/sentence_embedding"
_TOKEN_NAMES = ("last_hidden_state", "token_embeddings", "text_embeds", "hidden_states")
#: outputs with three axes: those of a transformer without a language model's head, and the one with it
HIDDEN_STATES, LOGITS = ("last_hidden_state", "hidden_states"), "logits"
_NOT_A_SENTENCE = ("pooler_output", LOGITS, ACTIVE_INDICES, ACTIVE_VALUES)


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph: name, NumPy dtype, number of axes and size of the last axis.

    ``rank`` and ``width`` are None where the graph does not say.
    """

    name: str
    dtype: np.dtype[Any] | None
    rank: int | None
    width: int | None = None


def _token_type_ids(batch: TokenBatch) -> NDArray[np.int64]:
    return np.zeros_like(batch.input_ids) if batch.token_type_ids is None else batch.token_type_ids


def _position_ids(batch: TokenBatch) -> NDArray[np.int64]:
    counted = batch.attention_mask if batch.expansion is None else batch.attention_mask | batch.expansion
    return np.maximum(np.cumsum(counted, axis=1) - 1, 0)


FEEDS: dict[str, Callable[[TokenBatch], NDArray[np.int64]]] = {
    "input_ids": lambda batch: batch.input_ids,
    "attention_mask": lambda batch: batch.attention_mask,
    "token_type_ids": _token_type_ids,
    "position_ids": _position_ids,
}


@dataclass(frozen=True)
class Signature:
    """The inputs of a graph, and the ``output`` to take from it.

    ``meaning`` says what the output is: "token_embeddings" (batch, tokens, hidden), for a graph that pools
    "sentence_embedding" (batch, dim), for one that compares two texts "scores" (batch, labels). ``width`` is the size
    of its last axis, None where the graph does not say. ``prunes`` says whether the graph can also give the largest
    weights only. ``rows`` are the numbers of ids that the model has embeddings for, by input, as far as known.
    ``others`` are the outputs that the graph is asked for besides, by their names.
    """

    inputs: tuple[Port, ...]
    output: str
    meaning: str
    width: int | None = None
    prunes: bool = False
    rows: Mapping[str, int] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @property
    def used(self) -> set[str]:
        """The names of all outputs that may be asked for."""
        return {self.output, *self.others, *((ACTIVE_INDICES, ACTIVE_VALUES) if self.prunes else ())}

    def feeds(self, batch: TokenBatch, max_active_dims: int = 1) -> dict[str, NDArray[Any]]:
        """The arrays of ``batch`` for the graph's inputs, each in the dtype that the graph expects.

        Raises DamagedFileError for an id beyond the model's embeddings: engines do not, or say less.
        """
        feeds = {port.name: FEEDS[port.name](batch).astype(port.dtype, copy=False) for port in self.inputs}
        for name, values in feeds.items():
            if name in self.rows and values.max(initial=0) >= self.rows[name]:
                raise DamagedFileError(
                    f"{values.max()} is among the {name} of a text, the model has {self.rows[name]} embeddings for "
                    "them; its tokenizer or its limit is another model's: download or export it again"
                )
        return {**feeds, MAX_ACTIVE_DIMS: np.array([max_active_dims], dtype=np.int64)} if self.prunes else feeds


def find_tokens(outputs: Sequence[Port]) -> str | None:
    """The name of the output that is the token embeddings: one with three axes, by a usual name, else the first."""
    names = [port.name for port in outputs if port.rank == 3]
    return next((name for name in _TOKEN_NAMES if name in names), names[0] if names else None)


def resolve_signature(
    file: str,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    *,
    scores: bool = False,
    wanted: Sequence[str] = (),
) -> Signature:
    """Find the inputs and the output of the graph in ``file``.

    ``wanted`` are the names of the outputs of a graph with several heads: the first is the output, its name is its
    meaning. Without them, and with ``scores``, the output is one with two axes that is called "scores" or "logits".
    Otherwise, or if there is none, an output with three axes is the token embeddings: the one with a usual name, else
    the first. If there is none either, an output with two axes is the pooled embedding. Raises UnsupportedModelError
    for unknown inputs, and for a graph without such an output, or without one that is ``wanted``.
    """
    prunes = {MAX_ACTIVE_DIMS, ACTIVE_INDICES, ACTIVE_VALUES} <= {port.name for port in (*inputs, *outputs)}
    inputs = [port for port in inputs if not (prunes and port.name == MAX_ACTIVE_DIMS)]
    unknown = [port.name for port in inputs if port.name not in FEEDS]
    if unknown or not inputs:
        raise UnsupportedModelError(
            f"{file} has the inputs {unknown or 'none'}; expected {', '.join(FEEDS)}. "
            "Export the model again with: edge-st export"
        )
    if wanted:
        return _of_heads(file, inputs, outputs, wanted)
    rated = [port for port in outputs if port.rank == 2 and port.name in (SCORES, LOGITS)]
    if scores and rated:
        return Signature(tuple(inputs), rated[0].name, SCORES, rated[0].width)
    tokens = find_tokens(outputs)
    if tokens is not None:
        width = next(port.width for port in outputs if port.name == tokens)
        return Signature(tuple(inputs), tokens, TOKEN_EMBEDDINGS, width)
    pooled = {port.name: port for port in outputs if port.rank == 2 and port.name not in _NOT_A_SENTENCE}
    if pooled:
        name = SENTENCE_EMBEDDING if SENTENCE_EMBEDDING in pooled else next(iter(pooled))
        return Signature(tuple(inputs), name, SENTENCE_EMBEDDING, pooled[name].width, prunes)
    found = ", ".join(f"{port.name} with {port.rank} axes" for port in outputs) or "none"
    raise UnsupportedModelError(
        f"{file} has the outputs {found}; expected token embeddings (batch, tokens, hidden), an embedding "
        "(batch, dim) or, for a CrossEncoder, scores (batch, labels). Export the model again with: edge-st export"
    )


def _of_heads(file: str, inputs: Sequence[Port], outputs: Sequence[Port], wanted: Sequence[str]) -> Signature:
    found = {port.name: port for port in outputs}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise UnsupportedModelError(
            f"{file} has the outputs {', '.join(found)}, but no {missing[0]!r}, which this model's head must give; "
            "export the model again with: edge-st export"
        )
    name, *others = wanted
    return Signature(tuple(inputs), name, name, found[name].width, others=tuple(others))
