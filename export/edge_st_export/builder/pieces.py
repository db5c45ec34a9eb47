"""The pieces that transformers are made of, as ONNX nodes with the weights of a checkpoint.

They use standard ONNX operators only, in the patterns that ONNX Runtime and OpenVINO fuse when they load a graph. Every
engine reads them. For batches on a CPU they have also measured faster than ONNX Runtime's own operators (Attention,
MultiHeadAttention, SkipLayerNormalization and BiasGelu).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_st_runtime.arrays import Floats

from .activations import ACTIVATIONS
from .checkpoint import Checkpoint
from .ports import IDS

if TYPE_CHECKING:
    from .graph_writer import GraphWriter

#: a linear map: the matrix (outputs, inputs) and the bias (outputs,), if it has one
Map = tuple[Floats, Floats | None]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Writes into ``graph`` with the weights of ``checkpoint``.

    Arguments called ``x`` are names of tensors in the graph, of which the last axis is the width; every method returns
    the name of its result. Raises DamagedFileError for a weight of another shape than asked for.
    """

    graph: "GraphWriter"
    checkpoint: Checkpoint

    def tokens(self) -> str:
        """The number of tokens in the longest text of the batch, (1,) int64."""
        return self.graph.apply("Shape", IDS, start=1, end=2)

    def first(self, x: str, axis: int) -> str:
        """The first place along ``axis``, which stays."""
        begin, end = self.graph.integers(0), self.graph.integers(1)
        return self.graph.apply("Slice", x, begin, end, self.graph.integers(axis))

    def last(self, x: str, shown: str) -> str:
        """The last token of each text in ``x`` (batch, tokens, width) that ``shown`` (batch, tokens) int64 has 1 for.

        It is (batch, width); the first token where there is none.
        """
        graph = self.graph
        last = graph.apply("ArgMax", graph.apply("Mul", self.places(), shown), axis=1, keepdims=1)
        return graph.apply("GatherND", x, last, batch_dims=1)

    def places(self) -> str:
        """The place of each token in the batch, (tokens,) int64."""
        graph = self.graph
        end = graph.apply("Squeeze", self.tokens(), graph.integers(0))
        return graph.apply("Range", graph.scalar(0), end, graph.scalar(1))

    def halves(self, x: str) -> list[str]:
        """The two halves of the last axis."""
        return self.graph.node("Split", x, outputs=2, axis=-1, num_outputs=2)

    def embedding(self, name: str, ids: str, width: int) -> str:
        """The rows of the table (rows, width) called ``name`` at the places ``ids``, which is any int64 tensor."""
        values = self.checkpoint.get(name, (self.checkpoint.rows(name), width))
        return self.graph.apply("Gather", self.graph.weight(name, values), ids)

    def layer_norm(self, x: str, name: str, width: int, epsilon: float, *, bias: bool = True) -> str:
        """Layer normalization; ``bias`` says whether it has one."""
        ends = ("weight", "bias") if bias else ("weight",)
        weights = [self.graph.weight(f"{name}.{end}", self.checkpoint.get(f"{name}.{end}", (width,))) for end in ends]
        return self.graph.apply("LayerNormalization", x, *weights, axis=-1, epsilon=epsilon)

    def rms_norm(self, x: str, name: str, width: int, epsilon: float, *, shift: float = 0, scale: float = 1) -> str:
        """Divide by the root mean square, multiply by scale · (weight + shift). Source: arXiv 1910.07467."""
        graph = self.graph
        weight = (self.checkpoint.get(f"{name}.weight", (width,)) + np.float32(shift)) * np.float32(scale)
        mean = graph.apply("ReduceMean", graph.apply("Pow", x, graph.number(2)), graph.integers(-1))
        root = graph.apply("Sqrt", graph.apply("Add", mean, graph.number(epsilon)))
        return graph.apply("Mul", graph.apply("Div", x, root), graph.weight(f"{name}.weight", weight))

    def map(self, name: str, inputs: int, outputs: int, *, bias: bool = True) -> Map:
        """The linear map called ``name``."""
        matrix = self.checkpoint.get(f"{name}.weight", (outputs, inputs))
        return matrix, self.checkpoint.get(f"{name}.bias", (outputs,)) if bias else None

    def maps(self, name: str, inputs: int, outputs: int, count: int, *, bias: bool = True) -> list[Map]:
        """``count`` linear maps to ``outputs`` each, which are stored side by side under one ``name``."""
        matrix, shift = self.map(name, inputs, count * outputs, bias=bias)
        shifts = [None] * count if shift is None else np.split(shift, count)
        return list(zip(np.split(matrix, count), shifts, strict=True))

    def linear(self, x: str, name: str, inputs: int, outputs: int, *, bias: bool = True) -> str:
        """The linear map called ``name`` of ``x``."""
        return self.mapped(x, name, [self.map(name, inputs, outputs, bias=bias)])

    def mapped(self, x: str, name: str, maps: Sequence[Map]) -> str:
        """Several linear maps of ``x`` as one, which is called ``name``; their results are side by side."""
        matrix = self.graph.weight(f"{name}.weight", np.concatenate([matrix for matrix, _ in maps]).T)
        product = self.graph.apply("MatMul", x, matrix)
        biases = [bias for _, bias in maps if bias is not None]
        if not biases:
            return product
        return self.graph.apply("Add", product, self.graph.weight(f"{name}.bias", np.concatenate(biases)))

    def gated(self, x: str, name: str, gate: Map, other: Map, activation: str) -> str:
        """activation(gate(x)) · other(x), in one matrix multiplication called ``name``. Source: arXiv 2002.05202."""
        left, right = self.halves(self.mapped(x, name, [gate, other]))
        return self.graph.apply("Mul", self.activated(left, activation), right)

    def activated(self, x: str, activation: str) -> str:
        """An activation function in `ACTIVATIONS` of ``x``."""
        return ACTIVATIONS[activation](self.graph, x)
