"""A float32 graph in float16 or bfloat16, for GPUs; what would overflow there stays in float32."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .observed import Seen
from .tensors import drop_unread, readers_of

#: half of the largest float16: other texts may have larger values than those that were observed
_LARGEST, _LEAST_NORMAL = 32752.0, 6.104e-05
#: in place of the least float32, by which masks take a token out of attention: its softmax is 0 all the same, and two
#: such masks may be added
_MASK = -16384.0
_TYPES = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}
#: operators that lose too much below float32, or have no kernel on GPUs
_EXACT = """
    ArgMax Ceil Cos CumSum Einsum Exp Floor GatherElements GatherND IsInf IsNaN LSTM Log LogSoftmax LpNormalization
    Max Min Mod NonZero OneHot Pow Range Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum
    ReduceSumSquare Resize Round ScatterElements ScatterND Sin Softplus Sqrt TopK
"""
#: operators with a CUDA kernel for bfloat16. Source: docs/OperatorKernels.md of ONNX Runtime 1.26 and later
_BFLOAT16 = """
    Add Attention BiasGelu Cast Concat Div FastGelu FusedMatMul Gather Gelu Gemm Identity LayerNormalization MatMul
    Mul MultiHeadAttention QuickGelu Relu Reshape RotaryEmbedding Shape Sigmoid SimplifiedLayerNormalization
    SkipLayerNormalization SkipSimplifiedLayerNormalization Slice Softmax Split Squeeze Sub Transpose Unsqueeze
"""
_LIMITS = ("Clip", "Max", "Min")
_BETWEEN = ("Add", "Sub", "Mul", "Div", "Neg", "Unsqueeze", "Squeeze", "Expand", "Cast")


def clamp_masks(graph: Any) -> None:
    """Write constants as initializers, and those of masks as a value that float16 has.

    Those are the least float32 and minus infinity.
    """
    _constants_as_initializers(graph)
    readers = readers_of(graph)
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and all(
            node.op_type not in _LIMITS for node in readers.get(tensor.name, [])
        ):
            values = numpy_helper.to_array(tensor)
            least = values < -_LARGEST
            if least.any():
                clamped = np.where(least, np.float32(_MASK), values)
                tensor.CopyFrom(numpy_helper.from_array(clamped, tensor.name))


def _constants_as_initializers(graph: Any) -> None:
    kept = []
    for node in graph.node:
        value = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type != "Constant" or not {"value", "value_float", "value_floats"} & value.keys():
            kept.append(node)
            continue
        found = (
            numpy_helper.to_array(value["value"])
            if "value" in value
            else np.array(next(iter(value.values())), dtype=np.float32)
        )
        graph.initializer.append(numpy_helper.from_array(np.asarray(found), node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)


def to_half(model: Any, seen: Mapping[str, Seen], dtype: str, *, emulated: bool = False) -> None:
    """Rewrite the onnx.ModelProto ``model`` to compute in ``dtype``, "float16" or "bfloat16"; outputs stay float32.

    ``seen`` are its float tensors: a node stays in float32 where one of its own was too large for float16, where its
    operator loses too much, or has no kernel in bfloat16.

    ``emulated`` writes the same computation for a CPU: in float32 arithmetic, with every weight and the result of every
    node rounded to ``dtype``.
    """
    del model.graph.value_info[:]
    weights = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    exact = _exact_nodes(model.graph, seen, weights, dtype)
    _Rewriting(model.graph, seen.keys(), weights, exact, dtype, emulated).write()
    drop_unread(model.graph)


def _exact_nodes(graph: Any, seen: Mapping[str, Seen], weights: Mapping[str, Any], dtype: str) -> list[bool]:
    """For each node whether it stays in float32."""
    narrow = {name for name, tensor in weights.items() if dtype == "float16" and _does_not_fit(tensor)}
    narrow |= {name for name, each in seen.items() if dtype == "float16" and each.largest > _LARGEST}
    inner = {name for node in graph.node for name in _subgraph_names(node)}
    exact = [
        _is_exact(node, dtype)
        or not narrow.isdisjoint((*node.input, *node.output))
        or not inner.isdisjoint(node.output)
        for node in graph.node
    ]
    floats = {*seen, *weights}
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output}
    readers: dict[str, list[int]] = {}
    for place, node in enumerate(graph.node):
        for name in node.input:
            readers.setdefault(name, []).append(place)
    outputs = {port.name for port in graph.output}
    for place, node in enumerate(graph.node):  # nodes between such nodes, so that values are not cast to and fro
        read = [name for name in node.input if name in floats and name not in weights]
        followed = [other for name in node.output for other in readers.get(name, [])]
        if node.op_type in _BETWEEN and followed and outputs.isdisjoint(node.output):
            exact[place] |= all(exact[makers[name]] for name in read if name in makers) and all(
                exact[other] for other in followed
            )
    return exact


def _is_exact(node: Any, dtype: str) -> bool:
    mixed = node.op_type == "LayerNormalization" and sum(map(bool, node.output)) > 1
    unknown = dtype == "bfloat16" and node.op_type not in _BFLOAT16.split()
    return mixed or unknown or node.op_type in _EXACT.split() or bool(_subgraph_names(node))


def _does_not_fit(tensor: Any) -> bool:
    """Whether float16 has no such values: too large ones, or a single one so small that it would lose its digits."""
    values = np.abs(numpy_helper.to_array(tensor))
    finite = values[np.isfinite(values)]
    largest = float(finite.max(initial=0))
    return largest > _LARGEST or (values.size == 1 and 0 < largest < _LEAST_NORMAL)


def _subgraph_names(node: Any) -> set[str]:
    graphs = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return {name for graph in graphs for each in graph.node for name in (*each.input, *_subgraph_names(each))}


@dataclass
class _Rewriting:
    """The ``graph`` with nodes that are not ``exact`` in ``dtype``; tensors are cast where the two kinds meet."""

    graph: Any
    seen: Any
    weights: Mapping[str, Any]
    exact: Sequence[bool]
    dtype: str
    emulated: bool
    nodes: list[Any] = field(default_factory=list)
    half: dict[str, str] = field(default_factory=dict)  # by the name of a tensor: its name in ``dtype``
    full: dict[str, str] = field(default_factory=dict)  # the same in float32

    def write(self) -> None:
        """Write all nodes, with casts between them."""
        for name in self.weights:
            self.full[name] = name
        outputs = {port.name for port in self.graph.output}
        for node, exact in zip(self.graph.node, self.exact, strict=True):
            for place, name in enumerate(node.input):
                if name in self.seen or name in self.weights:
                    node.input[place] = self._in_full(name) if exact else self._in_half(name)
            given = [name for name in node.output if name in self.seen]
            if exact:
                self.full |= {name: name for name in given}
                self.nodes.append(node)
            elif given or node.op_type == "Cast":
                self._write_half(node, given)
            else:
                self.nodes.append(node)
            for name in given:
                if name in outputs:
                    self._in_full(name)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)

    def _write_half(self, node: Any, given: Sequence[str]) -> None:
        _retype(node, self._type)
        self.nodes.append(node)
        for place, name in enumerate(node.output):
            if name not in given:
                continue
            own = f"{name}/{self.dtype}"
            node.output[place] = own
            if self.emulated:
                node.output[place] = f"{own}/exact"
                self._round(f"{own}/exact", own)
            self.half[name] = own

    @property
    def _type(self) -> int:
        return int(TensorProto.FLOAT if self.emulated else _TYPES[self.dtype])

    def _round(self, name: str, rounded: str) -> None:
        """Give ``name`` rounded to the dtype, as float32."""
        self.nodes.append(helper.make_node("Cast", [name], [f"{rounded}/rounded"], to=_TYPES[self.dtype]))
        self.nodes.append(helper.make_node("Cast", [f"{rounded}/rounded"], [rounded], to=TensorProto.FLOAT))

    def _in_full(self, name: str) -> str:
        if name not in self.full:
            self.nodes.append(helper.make_node("Cast", [self.half[name]], [name], to=TensorProto.FLOAT))
            self.full[name] = name
        return self.full[name]

    def _in_half(self, name: str) -> str:
        if name not in self.half:
            own = f"{name}/{self.dtype}"
            if name in self.weights:
                self._round_weight(name, own)
            elif self.emulated:
                self._round(self.full[name], own)
            else:
                self.nodes.append(helper.make_node("Cast", [self.full[name]], [own], to=self._type))
            self.half[name] = own
        return self.half[name]

    def _round_weight(self, name: str, own: str) -> None:
        values = rounded(numpy_helper.to_array(self.weights[name]), self.dtype)
        self.graph.initializer.append(
            numpy_helper.from_array(values.astype(np.float32) if self.emulated else values, own)
        )


def rounded(values: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    """``values`` in "float16" or "bfloat16"; what is beyond float16's range becomes its largest number."""
    if dtype == "bfloat16":
        return values.astype(ml_dtypes.bfloat16)
    largest = np.float32(np.finfo(np.float16).max)
    return np.where(np.isfinite(values), np.clip(values, -largest, largest), values).astype(np.float16)


def _retype(node: Any, to: int) -> None:
    """Let a node that makes float32 by its attributes make this type."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = to
        elif node.op_type == "ConstantOfShape" and attribute.t.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(attribute.t)
            dtype = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}.get(to)
            attribute.t.CopyFrom(numpy_helper.from_array(values if dtype is None else rounded(values, dtype)))


def kept_in_float32(graph: Any, seen: MutableMapping[str, Seen]) -> dict[str, float]:
    """The tensors that are too large for float16, with their largest values."""
    names = {name for node in graph.node for name in node.output}
    return {name: each.largest for name, each in seen.items() if each.largest > _LARGEST and name in names}
