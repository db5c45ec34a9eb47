"""Attention as one operator: ONNX Runtime's MultiHeadAttention, which is FlashAttention and its kin on GPUs.

ONNX Runtime's own optimizer knows the attention of a few exporters. This one takes any Softmax(Q·Kᵀ·scale + bias)·V of
heads, by the shapes that were observed while texts ran through the graph.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from .observed import Seen
from .tensors import readers_of

_HEADS_FIRST, _KEYS, _SWAPPED = [0, 2, 1, 3], [0, 2, 3, 1], [0, 1, 3, 2]
_PREFIX = "fused/"
_DOMAIN = "com.microsoft"


def fuse_attention(model: Any, seen: MutableMapping[str, Seen]) -> int:
    """Fuse every attention of the onnx.ModelProto ``model`` that fits; returns how many there were.

    ``seen`` are its float tensors. New ones are added to it.
    """
    found = _Fusion(model.graph, seen)
    places = [node for node in model.graph.node if node.op_type == "Softmax"]
    fused = sum(found.fuse(node) for node in places)
    if fused:
        found.write()
        if all(entry.domain != _DOMAIN for entry in model.opset_import):
            model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return fused


@dataclass
class _Fusion:
    graph: Any
    seen: MutableMapping[str, Seen]
    new: dict[str, list[Any]] = field(default_factory=dict)  # by the output of the node that they take the place of
    wide: dict[tuple[str, Any], str] = field(default_factory=dict)  # biases with a row for every query

    def __post_init__(self) -> None:
        self.makers = {name: node for node in self.graph.node for name in node.output}
        self.readers = readers_of(self.graph)
        self.constants = {tensor.name: tensor for tensor in self.graph.initializer}
        self.outputs = {port.name for port in self.graph.output}

    def fuse(self, softmax: Any) -> bool:
        """Fuse the attention around ``softmax``; False where it is no such attention."""
        last = _attribute(softmax, "axis", -1) in (-1, 3)
        weights = self._guarded(softmax.output[0])
        mixed = self._only_reader(weights, "MatMul")
        product, scale, bias = self._scores(softmax.input[0])
        if not last or mixed is None or mixed.input[0] != weights or product is None:
            return False
        (query, by_query), (key, by_key) = map(self._unscaled, product.input)
        scale, value = scale * by_query * by_key, mixed.input[1]
        shapes = [self._shapes(name) for name in (query, key, value)]
        heads = {shape[1] if len(shape) == 4 else 0 for each in shapes for shape in each}
        result = self._joined(mixed.output[0])
        if len(heads) != 1 or 0 in heads or not all(shapes) or result is None:
            return False
        if bias is not None and not self._broadcasts(bias, query):
            return False
        self._write(result, heads.pop(), (query, key, value), scale, bias)
        return True

    def _guarded(self, name: str) -> str:
        """What is read in place of the Softmax ``name``: zeros where it is not a number, as no token is attended to.

        `clamp_masks` has left no such rows.
        """
        guards = [node for node in self.readers.get(name, []) if node.op_type == "Where" and node.input[2] == name]
        others = {node.op_type for node in self.readers.get(name, []) if node not in guards}
        if len(guards) != 1 or others != {"IsNaN"} or name in self.outputs:
            return name
        test = self.makers.get(guards[0].input[0])
        return str(guards[0].output[0]) if test is not None and list(test.input) == [name] else name

    def _unscaled(self, name: str) -> tuple[str, float]:
        """What ``name`` is a multiple of, and the factor."""
        node = self._made_once(name, "Mul")
        factor = None if node is None else self._number(node.input[1])
        return (name, 1.0) if node is None or not factor else (str(node.input[0]), factor)

    def _scores(self, name: str) -> tuple[Any, float, str | None]:
        """The product that ``name`` is computed from, the factor and the bias in between; None where it is another."""
        bias, added = None, self._made_once(name, "Add")
        if added is not None:
            sides = [(each, other) for each, other in zip(added.input, reversed(added.input), strict=True)]
            scaled = [(each, other) for each, other in sides if self._scaled(each)[0] is not None]
            if len(scaled) != 1:
                return None, 1.0, None
            name, bias = scaled[0]
        product, scale = self._scaled(name)
        return product, scale, bias

    def _scaled(self, name: str) -> tuple[Any, float]:
        for operator in ("Mul", "Div"):
            node = self._made_once(name, operator)
            factor = None if node is None else self._number(node.input[1])
            if node is not None and factor:
                return self._made_once(node.input[0], "MatMul"), factor if operator == "Mul" else 1 / factor
        return self._made_once(name, "MatMul"), 1.0

    def _number(self, name: str) -> float | None:
        tensor = self.constants.get(name)
        return None if tensor is None or np.prod(tensor.dims) != 1 else float(numpy_helper.to_array(tensor).item())

    def _made_once(self, name: str, operator: str) -> Any:
        """The node of this kind that makes ``name``, which only one node reads."""
        node = self.makers.get(name)
        fits = node is not None and node.op_type == operator and len(self.readers.get(name, [])) == 1
        return node if fits and name not in self.outputs else None

    def _only_reader(self, name: str, operator: str) -> Any:
        readers = self.readers.get(name, [])
        fits = len(readers) == 1 and readers[0].op_type == operator and name not in self.outputs
        return readers[0] if fits else None

    def _joined(self, name: str) -> Any:
        """The Reshape that puts the heads of ``name`` one beside the other: (batch, tokens, heads · size)."""
        transposed = self._only_reader(name, "Transpose")
        if transposed is None or _attribute(transposed, "perm", []) != _HEADS_FIRST:
            return None
        reshaped = self._only_reader(transposed.output[0], "Reshape")
        shapes = zip(self._shapes(name), () if reshaped is None else self._shapes(reshaped.output[0]), strict=False)
        wanted = [found == (batch, tokens, heads * size) for (batch, heads, tokens, size), found in shapes]
        return reshaped if wanted and all(wanted) else None

    def _shapes(self, name: str) -> tuple[tuple[int, ...], ...]:
        return self.seen[name].shapes if name in self.seen else ()

    def _broadcasts(self, bias: str, query: str) -> bool:
        """Whether every observed ``bias`` has one row for all queries or one for each; (…, queries, keys)."""
        if bias in self.constants:
            return False
        pairs = list(zip(self._shapes(bias), self._shapes(query), strict=False))
        return bool(pairs) and all(len(b) in (2, 3, 4) and b[-2] in (1, q[2]) for b, q in pairs)

    def _write(self, result: Any, heads: int, inputs: tuple[str, str, str], scale: float, bias: str | None) -> None:
        query, key, value = inputs
        nodes: list[Any] = []
        joined = [
            self._beside(query, _HEADS_FIRST, nodes),
            self._beside_keys(key, nodes),
            self._beside(value, _HEADS_FIRST, nodes),
        ]
        wide = "" if bias is None else self._for_every_query(bias, query, nodes)
        nodes.append(
            helper.make_node(
                "MultiHeadAttention",
                [*joined, "", "", wide] if wide else joined,
                [result.output[0]],
                name=f"{_PREFIX}{result.output[0]}",
                domain=_DOMAIN,
                num_heads=heads,
                scale=scale,
            )
        )
        self.new[result.output[0]] = nodes

    def _beside_keys(self, key: str, nodes: list[Any]) -> str:
        """Keys (batch, heads, size, tokens) as (batch, tokens, heads · size)."""
        node = self.makers.get(key)
        perm = None if node is None or node.op_type != "Transpose" else _attribute(node, "perm", [])
        if node is not None and perm == _KEYS and (found := self._unsplit(node.input[0])):
            return found
        if node is not None and perm == _SWAPPED:
            return self._beside(node.input[0], _HEADS_FIRST, nodes)
        return self._beside(key, [0, 3, 1, 2], nodes)

    def _beside(self, name: str, perm: list[int], nodes: list[Any]) -> str:
        """Heads (batch, heads, tokens, size), as ``perm`` puts them, as (batch, tokens, heads · size)."""
        node = self.makers.get(name)
        if node is not None and node.op_type == "Transpose" and perm == _attribute(node, "perm", []) == _HEADS_FIRST:
            found = self._unsplit(node.input[0])
            if found:
                return found
        moved, joined, shape = (f"{_PREFIX}{step}/{name}" for step in ("moved", "joined", "shape"))
        if joined not in self.seen:
            shapes = self._shapes(name)
            self.graph.initializer.append(numpy_helper.from_array(np.array([0, 0, -1], dtype=np.int64), shape))
            nodes.append(helper.make_node("Transpose", [name], [moved], name=moved, perm=perm))
            nodes.append(helper.make_node("Reshape", [moved, shape], [joined], name=joined))
            self.seen[moved] = self.seen[joined] = Seen(self.seen[name].largest, shapes)
        return joined

    def _unsplit(self, name: str) -> str | None:
        """What was split into the heads ``name`` (batch, tokens, heads, size): (batch, tokens, heads · size)."""
        node = self.makers.get(name)
        if node is None or node.op_type != "Reshape" or not self._shapes(name):
            return None
        pairs = zip(self._shapes(name), self._shapes(node.input[0]), strict=False)
        fits = [whole == (batch, tokens, heads * size) for (batch, tokens, heads, size), whole in pairs]
        return str(node.input[0]) if fits and all(fits) else None

    def _for_every_query(self, bias: str, query: str, nodes: list[Any]) -> str:
        """``bias`` with a row for every query, (batch or 1, heads or 1, queries, keys)."""
        rows = tuple(shape[2] for shape in self._shapes(query))
        if (bias, rows) not in self.wide:
            own = f"{_PREFIX}wide/{len(self.wide)}/{bias}"
            shape, part, ones, ends = (f"{own}/{step}" for step in ("shape", "rows", "ones", "ends"))
            constants = {ones: [1], ends: [2], f"{ends}/3": [3]}
            self.graph.initializer.extend(
                numpy_helper.from_array(np.array(values, dtype=np.int64), name) for name, values in constants.items()
            )
            nodes += [
                helper.make_node("Shape", [query], [shape], name=shape),
                helper.make_node("Slice", [shape, ends, f"{ends}/3"], [part], name=part),
                helper.make_node("Concat", [ones, ones, part, ones], [f"{shape}/4"], name=f"{shape}/4", axis=0),
                helper.make_node("Expand", [bias, f"{shape}/4"], [own], name=own),
            ]
            self.seen[own] = self.seen[bias]
            self.wide[bias, rows] = own
        return self.wide[bias, rows]

    def write(self) -> None:
        """Put the new nodes in place, and remove the nodes that nothing reads any more."""
        nodes = [made for node in self.graph.node for made in self.new.get(node.output[0], [node])]
        needed, kept = set(self.outputs), []
        for node in reversed(nodes):
            if not needed.isdisjoint(node.output):
                kept.append(node)
                needed.update(node.input)
                needed.update(name for reader in (node,) for name in _inner_names(reader))
        del self.graph.node[:]
        self.graph.node.extend(reversed(kept))


def _inner_names(node: Any) -> set[str]:
    graphs = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return {name for graph in graphs for inner in graph.node for name in (*inner.input, *_inner_names(inner))}


def _attribute(node: Any, name: str, default: Any) -> Any:
    found: Mapping[str, Any] = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return found.get(name, default)
