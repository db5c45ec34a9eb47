"""A float32 graph in float16 or bfloat16, for GPUs; what would overflow there stays in float32."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .exact_nodes import LARGEST, exact_nodes
from .observed import Seen
from .tensors import drop_unread, readers_of

#: in place of the least float32, by which masks take a token out of attention: its softmax is 0 all the same, and two
#: such masks may be added
_MASK = -16384.0
_TYPES = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}
_LIMITS = ("Clip", "Max", "Min")


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
            least = values < -LARGEST
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

    ``seen`` are its float tensors; see `exact_nodes` for what stays in float32.

    ``emulated`` writes the same computation for a CPU: in float32 arithmetic, with every weight and the result of every
    node rounded to ``dtype``.
    """
    del model.graph.value_info[:]
    weights = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    exact = exact_nodes(model.graph, seen, weights, dtype)
    _Rewriting(model.graph, seen.keys(), weights, exact, dtype, emulated).write()
    drop_unread(model.graph)


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
            dtype = next((name for name, kind in _TYPES.items() if kind == to), None)
            attribute.t.CopyFrom(numpy_helper.from_array(values if dtype is None else rounded(values, dtype)))
