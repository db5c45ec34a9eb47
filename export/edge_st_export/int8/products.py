"""The matrix products of an ONNX graph that can be computed in int8."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from onnx import numpy_helper

from edge_st_runtime.arrays import Floats

_LEAST = 64  # rows and columns of a weight that is worth the conversion of its input


@dataclass(frozen=True, eq=False)
class Product:
    """``input`` (…, K) times the constant ``weight`` (K, N), plus the constant ``bias`` (N,) if there is one.

    ``output`` names the result; ``nodes`` are those that compute it.
    """

    input: str
    weight: Floats
    weight_name: str
    bias: Floats | None
    output: str
    nodes: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Group:
    """Products that share an input, which is quantized once for all of them, or a weight."""

    products: tuple[Product, ...]

    @property
    def name(self) -> str:
        """The output of the first, by which the group is known."""
        return self.products[0].output

    @property
    def inputs(self) -> tuple[str, ...]:
        """Their distinct inputs."""
        return tuple(dict.fromkeys(product.input for product in self.products))

    @property
    def width(self) -> int:
        """K."""
        return int(self.products[0].weight.shape[0])


def find_groups(model: Any) -> tuple[Group, ...]:
    """The groups of the onnx.ModelProto ``model``, in the order of its nodes."""
    groups: list[list[Product]] = []
    for product in _products(model.graph):
        joined = [group for group in groups if any(_belong(product, other) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*(member for group in joined for member in group), product])
    return tuple(Group(tuple(group)) for group in groups)


def _belong(one: Product, other: Product) -> bool:
    return one.input == other.input or one.weight_name == other.weight_name


def _products(graph: Any) -> Iterator[Product]:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    results = {output.name for output in graph.output}
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in constants or node.input[0] in constants:
            continue
        weight = numpy_helper.to_array(constants[node.input[1]])
        if weight.ndim != 2 or min(weight.shape) < _LEAST or weight.dtype.name != "float32":
            continue
        (product,) = node.output
        added = _bias(readers.get(product, []), product, constants, int(weight.shape[1]))
        if added is None or product in results:
            yield Product(node.input[0], weight, node.input[1], None, product, (node,))
        else:
            adding, bias = added
            yield Product(node.input[0], weight, node.input[1], bias, adding.output[0], (node, adding))


def _bias(readers: list[Any], product: str, constants: dict[str, Any], width: int) -> tuple[Any, Floats] | None:
    """The only reader of a product, where it adds a constant of ``width`` values."""
    if len(readers) != 1 or readers[0].op_type != "Add":
        return None
    other = next((name for name in readers[0].input if name != product), product)
    if other not in constants or list(constants[other].dims) != [width]:
        return None
    return readers[0], numpy_helper.to_array(constants[other])
