"""The activation functions of encoders, as nodes. Source: transformers.activations.ACT2FN."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .graph_writer import GraphWriter


def _gelu(graph: "GraphWriter", x: str) -> str:
    """x · Φ(x), in nodes that engines fuse into one."""
    error = graph.apply("Erf", graph.apply("Div", x, graph.number(math.sqrt(2))))
    return graph.apply("Mul", graph.apply("Mul", x, graph.apply("Add", error, graph.number(1))), graph.number(0.5))


def _gelu_tanh(graph: "GraphWriter", x: str) -> str:
    """GELU with Φ approximated by tanh: ``gelu_new`` of GPT-2 and of Google's BERT repository."""
    cubic = graph.apply("Mul", graph.apply("Pow", x, graph.number(3)), graph.number(0.044715))
    inner = graph.apply("Mul", graph.apply("Add", x, cubic), graph.number(math.sqrt(2 / math.pi)))
    outer = graph.apply("Add", graph.apply("Tanh", inner), graph.number(1))
    return graph.apply("Mul", graph.apply("Mul", x, graph.number(0.5)), outer)


def _silu(graph: "GraphWriter", x: str) -> str:
    return graph.apply("Mul", x, graph.apply("Sigmoid", x))


ACTIVATIONS: "Mapping[str, Callable[[GraphWriter, str], str]]" = {
    "gelu": _gelu,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "silu": _silu,
    "swish": _silu,
    "sigmoid": lambda graph, x: graph.apply("Sigmoid", x),
    "relu": lambda graph, x: graph.apply("Relu", x),
    "tanh": lambda graph, x: graph.apply("Tanh", x),
}
