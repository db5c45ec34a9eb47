"""Softmax attention as ONNX nodes, and what is added to it."""

from collections.abc import Sequence

import numpy as np

from .pieces import Map, Pieces
from .ports import MASK

_LEAST = float(np.finfo(np.float32).min)


def mask_bias(pieces: Pieces) -> str:
    """What is added to the attention, (batch, 1, 1, tokens): where the mask is 0, -3.4e38."""
    graph = pieces.graph
    mask = graph.cast(graph.apply("Unsqueeze", MASK, graph.integers(1, 2)), np.float32)
    return graph.apply("Mul", graph.apply("Sub", graph.number(1), mask), graph.number(_LEAST))


def window_bias(pieces: Pieces, bias: str, reach: int) -> str:
    """``bias`` (batch, 1, 1 or tokens, tokens) for local attention, (batch, 1, tokens, tokens).

    It is -3.4e38, too, for keys more than ``reach`` tokens away from their query.
    """
    graph = pieces.graph
    keys = pieces.places()
    queries = graph.apply("Unsqueeze", keys, graph.integers(1))
    after = graph.apply("Greater", keys, graph.apply("Add", queries, graph.scalar(reach)))
    before = graph.apply("Less", keys, graph.apply("Sub", queries, graph.scalar(reach)))
    return graph.apply("Where", graph.apply("Or", after, before), graph.number(_LEAST), bias)


def causal_bias(pieces: Pieces, bias: str) -> str:
    """``bias`` (batch, 1, 1, tokens) for queries that see no later keys, (batch, 1, tokens, tokens)."""
    graph = pieces.graph
    keys = pieces.places()
    later = graph.apply("Greater", keys, graph.apply("Unsqueeze", keys, graph.integers(1)))
    return graph.apply("Where", later, graph.number(_LEAST), bias)


def distances(pieces: Pieces) -> str:
    """How far each key is after its query, (tokens, tokens) int64: rows are queries."""
    graph, places = pieces.graph, pieces.places()
    return graph.apply("Sub", places, graph.apply("Unsqueeze", places, graph.integers(1)))


def scaled(map_: Map, size: int) -> Map:
    """The map to queries, which are then divided by √size already."""
    matrix, bias = map_
    scale = np.float32(1 / np.sqrt(size))
    return matrix * scale, None if bias is None else bias * scale


def heads_of(pieces: Pieces, x: str, heads: int, size: int) -> str:
    """Divide the last axis of ``x``, (batch, tokens, heads·size), into heads: (batch, tokens, heads, size)."""
    return pieces.graph.apply("Reshape", x, pieces.graph.integers(0, 0, heads, size))


def repeated(pieces: Pieces, x: str, groups: int, heads: int, size: int) -> str:
    """Repeat each of the ``groups`` of keys or values ``x`` (batch, tokens, groups, size) for all heads that share it.

    The result is (batch, tokens, heads, size).
    """
    if groups == heads:
        return x
    graph = pieces.graph
    shape = graph.integers(1, 1, 1, heads // groups, 1)
    each = graph.apply("Expand", graph.apply("Unsqueeze", x, graph.integers(3)), shape)
    return graph.apply("Reshape", each, graph.integers(0, 0, heads, size))


def attend(pieces: Pieces, queries: str, keys: str, values: str, bias: str, width: int) -> str:
    """Softmax(Q·Kᵀ + bias)·V of all heads, (batch, queries, width).

    ``queries`` (batch, queries, heads, size), ``keys`` and ``values`` (batch, tokens, heads, size) are of any equal
    number of heads; ``bias`` is (batch or 1, heads or 1, queries or 1, tokens); ``width`` is heads·size.
    """
    graph = pieces.graph
    order = {"perm": [0, 2, 1, 3]}
    transposed = graph.apply("Transpose", queries, **order), graph.apply("Transpose", keys, perm=[0, 2, 3, 1])
    return mixed(pieces, graph.apply("MatMul", *transposed), values, bias, width)


def mixed(pieces: Pieces, scores: str, values: str, bias: str, width: int) -> str:
    """Softmax(scores + bias)·V, (batch, queries, width); ``scores`` is (batch, heads, queries, tokens)."""
    graph = pieces.graph
    order = {"perm": [0, 2, 1, 3]}
    weights = graph.apply("Softmax", graph.apply("Add", scores, bias), axis=-1)
    found = graph.apply("MatMul", weights, graph.apply("Transpose", values, **order))
    return graph.apply("Reshape", graph.apply("Transpose", found, **order), graph.integers(0, 0, width))


def projections(pieces: Pieces, x: str, queries: str, path: str, maps: Sequence[Map]) -> list[str]:
    """Queries, keys and values by the three ``maps``; those of the same tokens in one matrix multiplication.

    Queries are those of the tokens ``queries``, which is ``x`` or some of its tokens. All maps are to the same width;
    ``path`` begins the names of the weights.
    """
    if queries is x:
        packed = pieces.mapped(x, f"{path}query_key_value", maps)
        return pieces.graph.node("Split", packed, outputs=3, axis=-1, num_outputs=3)
    packed = pieces.mapped(x, f"{path}key_value", maps[1:])
    return [pieces.mapped(queries, f"{path}query", maps[:1]), *pieces.halves(packed)]
