"""A BERT-like encoder as ONNX nodes: embeddings, attention, feed-forward, classifier.

It uses standard ONNX operators only, in the patterns that ONNX Runtime and OpenVINO fuse when they load a graph. Every
engine reads them. For batches on a CPU they have also measured faster than ONNX Runtime's own operators (Attention,
MultiHeadAttention, SkipLayerNormalization and BiasGelu).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from onnx import TensorProto

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import DamagedFileError

from .activations import ACTIVATIONS
from .architecture import Architecture
from .checkpoint import Checkpoint
from .families import LayerNames
from .graph_writer import GraphWriter
from .relative_positions import bias_by_distance

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
_WORDS, _POSITIONS = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
_TYPES, _PROJECT = "embeddings.token_type_embeddings.weight", "embeddings_project"


@dataclass(frozen=True, eq=False)
class Encoder:
    """Writes ``architecture`` with the weights of ``checkpoint`` into ``graph``."""

    graph: GraphWriter
    checkpoint: Checkpoint
    architecture: Architecture

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs; each is (batch, tokens) int64."""
        return [IDS, MASK, TYPES] if self.architecture.family.token_types else [IDS, MASK]

    @cached_property
    def hidden(self) -> int:
        """The width of the layers; raises DamagedFileError if it is not a multiple of the number of heads."""
        name = self.architecture.family.layer.of(0).query
        hidden, heads = self.checkpoint.shape(f"{name}.weight")[0], self.architecture.heads
        if heads < 1 or hidden % heads:
            raise DamagedFileError(
                f"config.json says {heads} attention heads, but {name} has {hidden} rows, which is no multiple of it; "
                "download the model again"
            )
        return hidden

    def write(self) -> tuple[str, int]:
        """Write all nodes; returns the name of the output and the size of its last axis.

        The output is (batch, tokens, hidden), or (batch, labels) with a classifier. A classifier reads the first token
        only, so the last layer is computed for that token only; it still attends to all tokens.
        """
        x, bias = self._embeddings(), self._attention_bias()
        names = [self.architecture.family.layer.of(number) for number in range(self.architecture.layers)]
        for layer in names:
            first = self.architecture.classifies and layer is names[-1]
            x = self._layer(x, bias, layer, first_token=first)
        return self._classifier(x) if self.architecture.classifies else (x, self.hidden)

    def _embeddings(self) -> str:
        graph, (_, width) = self.graph, self.checkpoint.shape(_WORDS)
        x = graph.apply("Gather", self._table(_WORDS, width), IDS)
        if self.architecture.family.token_types:
            x = graph.apply("Add", x, graph.apply("Gather", self._table(_TYPES, width), TYPES))
        x = self._norm(graph.apply("Add", x, self._positions(width)), "embeddings.LayerNorm", width)
        return x if width == self.hidden else self._linear(x, _PROJECT, width, self.hidden)

    def _positions(self, width: int) -> str:
        """The embedding of each position, plus that of the first token type where the family has no token_type_ids."""
        graph, family = self.graph, self.architecture.family
        values = self.checkpoint.get(_POSITIONS, self.checkpoint.shape(_POSITIONS))
        if family.first_type:
            values = values + self.checkpoint.get(_TYPES, (self.checkpoint.shape(_TYPES)[0], width))[0]
        table = graph.weight(_POSITIONS, values)
        if not family.counted_from_padding:
            return graph.apply("Slice", table, graph.integers(0), self._tokens(), graph.integers(0))
        padding = graph.integers(self.architecture.padding)
        text = graph.apply("Cast", graph.apply("Not", graph.apply("Equal", IDS, padding)), to=TensorProto.INT64)
        counted = graph.apply("Mul", graph.apply("CumSum", text, graph.integers(1)), text)
        return graph.apply("Gather", table, graph.apply("Add", counted, padding))

    def _attention_bias(self) -> str:
        """What is added to the attention, (batch, 1 or heads, 1 or tokens, tokens): where the mask is 0, -3.4e38."""
        graph = self.graph
        mask = graph.apply("Cast", graph.apply("Unsqueeze", MASK, graph.integers(1, 2)), to=TensorProto.FLOAT)
        least = graph.number(float(np.finfo(np.float32).min))
        bias = graph.apply("Mul", graph.apply("Sub", graph.number(1), mask), least)
        name = self.architecture.family.relative
        return bias if name is None else graph.apply("Add", bias, self._relative_bias(name))

    def _relative_bias(self, name: str) -> str:
        """The learned bias of every distance between tokens, (heads, tokens, tokens)."""
        graph = self.graph
        longest, _ = self.checkpoint.shape(_POSITIONS)
        buckets = self.checkpoint.shape(name)[0]
        table = bias_by_distance(self.checkpoint.get(name, (buckets, self.architecture.heads)), longest)
        ends = graph.apply("Squeeze", self._tokens(), graph.integers(0))
        begin, step = (graph.weight(f"int64_scalar_{value}", np.array(value, dtype=np.int64)) for value in (0, 1))
        places = graph.apply("Range", begin, ends, step)
        column = graph.apply("Unsqueeze", graph.apply("Sub", places, graph.integers(longest - 1)), graph.integers(1))
        return graph.apply("Gather", graph.weight(name, table), graph.apply("Sub", places, column), axis=1)

    def _layer(self, x: str, bias: str, names: LayerNames, *, first_token: bool) -> str:
        graph = self.graph
        queries = self._first(x, 1) if first_token else x
        attended = self._attention(x, queries, self._first(bias, 2) if first_token else bias, names)
        attended = self._linear(attended, names.attended, self.hidden, self.hidden)
        x = self._norm(graph.apply("Add", attended, queries), names.attended_norm, self.hidden)
        width = self.checkpoint.shape(f"{names.widened}.weight")[0]
        wide = self._linear(x, names.widened, self.hidden, width)
        wide = ACTIVATIONS[self.architecture.activation](graph, wide)
        narrow = self._linear(wide, names.narrowed, width, self.hidden)
        return self._norm(graph.apply("Add", narrow, x), names.norm, self.hidden)

    def _attention(self, x: str, queries: str, bias: str, names: LayerNames) -> str:
        """Softmax(Q·Kᵀ/√size + bias)·V of all heads; (batch, queries, hidden)."""
        graph, heads = self.graph, self.architecture.heads
        shape, order = graph.integers(0, 0, heads, self.hidden // heads), {"perm": [0, 2, 1, 3]}
        q, k, v = (graph.apply("Reshape", each, shape) for each in self._projections(x, queries, names))
        scores = graph.apply(
            "MatMul", graph.apply("Transpose", q, **order), graph.apply("Transpose", k, perm=[0, 2, 3, 1])
        )
        weights = graph.apply("Softmax", graph.apply("Add", scores, bias), axis=-1)
        mixed = graph.apply("MatMul", weights, graph.apply("Transpose", v, **order))
        return graph.apply("Reshape", graph.apply("Transpose", mixed, **order), graph.integers(0, 0, self.hidden))

    def _projections(self, x: str, queries: str, names: LayerNames) -> list[str]:
        """Queries, already divided by √size, keys and values; those of the same tokens in one matrix multiplication."""
        scale = np.float32(1 / math.sqrt(self.hidden // self.architecture.heads))
        matrix, shift = self._map(names.query, self.hidden, self.hidden)
        query = (matrix * scale, shift * scale)
        others = [self._map(name, self.hidden, self.hidden) for name in (names.key, names.value)]
        path = names.path
        if queries is x:
            packed = self._packed(x, f"{path}query_key_value", [query, *others])
            return self.graph.node("Split", packed, outputs=3, axis=-1, num_outputs=3)
        packed = self._packed(x, f"{path}key_value", others)
        split = self.graph.node("Split", packed, outputs=2, axis=-1, num_outputs=2)
        return [self._packed(queries, f"{path}query", [query]), *split]

    def _classifier(self, x: str) -> tuple[str, int]:
        """The logits (batch, labels) from the only token (batch, 1, hidden), and the number of labels."""
        head, graph = self.architecture.family.classifier, self.graph
        width = self.checkpoint.shape(f"{head.dense}.weight")[0]
        labels = self.checkpoint.shape(f"{head.projection}.weight")[0]
        x = self._linear(graph.apply("Squeeze", x, graph.integers(1)), head.dense, self.hidden, width)
        x = ACTIVATIONS[head.activation](graph, x)
        return self._linear(x, head.projection, width, labels), labels

    def _tokens(self) -> str:
        """The number of tokens, (1,)."""
        return self.graph.apply("Shape", IDS, start=1, end=2)

    def _first(self, x: str, axis: int) -> str:
        begin, end = self.graph.integers(0), self.graph.integers(1)
        return self.graph.apply("Slice", x, begin, end, self.graph.integers(axis))

    def _table(self, name: str, width: int) -> str:
        return self.graph.weight(name, self.checkpoint.get(name, (self.checkpoint.shape(name)[0], width)))

    def _norm(self, x: str, name: str, width: int) -> str:
        scale, shift = f"{name}.weight", f"{name}.bias"
        weights = (self.graph.weight(each, self.checkpoint.get(each, (width,))) for each in (scale, shift))
        return self.graph.apply("LayerNormalization", x, *weights, axis=-1, epsilon=self.architecture.epsilon)

    def _linear(self, x: str, name: str, inputs: int, outputs: int) -> str:
        return self._packed(x, name, [self._map(name, inputs, outputs)])

    def _map(self, name: str, inputs: int, outputs: int) -> tuple[Floats, Floats]:
        """The matrix (outputs, inputs) and the bias (outputs,) of the linear map called ``name``."""
        return self.checkpoint.get(f"{name}.weight", (outputs, inputs)), self.checkpoint.get(f"{name}.bias", (outputs,))

    def _packed(self, x: str, name: str, maps: list[tuple[Floats, Floats]]) -> str:
        """Several linear maps of ``x`` as one; their results are concatenated in the last axis."""
        matrix = self.graph.weight(f"{name}.weight", np.concatenate([weight for weight, _ in maps]).T)
        bias = self.graph.weight(f"{name}.bias", np.concatenate([bias for _, bias in maps]))
        return self.graph.apply("Add", self.graph.apply("MatMul", x, matrix), bias)


def required_weights(architecture: Architecture) -> list[str]:
    """The names of the weights that the graph needs."""
    family = architecture.family
    names = [_WORDS, _POSITIONS]
    if family.token_types or family.first_type:
        names.append(_TYPES)
    names += [family.relative] if family.relative else []
    maps = ["embeddings.LayerNorm"]
    for number in range(architecture.layers):
        maps += [name for field, name in vars(family.layer.of(number)).items() if field != "path"]
    if architecture.classifies:
        maps += [family.classifier.dense, family.classifier.projection]
    return names + [f"{name}.{kind}" for name in maps for kind in ("weight", "bias")]
