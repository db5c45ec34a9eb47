"""The matrix products of an ONNX graph that can be computed in int8."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import TensorProto

from edge_st_runtime.arrays import Floats

from .tensors import readers_of, values_of, varying

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


def find_groups(model: Any, folder: Path) -> tuple[Group, ...]:
    """The groups of the onnx.ModelProto ``model``, whose file stands in ``folder``, in the order of its nodes."""
    groups: list[list[Product]] = []
    for product in _products(model.graph, folder):
        joined = [group for group in groups if any(_belong(product, other) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*(member for group in joined for member in group), product])
    return tuple(Group(tuple(group)) for group in groups)


def _belong(one: Product, other: Product) -> bool:
    return one.input == other.input or one.weight_name == other.weight_name


def _products(graph: Any, folder: Path) -> Iterator[Product]:
    constants, readers = {tensor.name: tensor for tensor in graph.initializer}, readers_of(graph)
    results, inputs = {output.name for output in graph.output}, varying(graph)
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[0] not in inputs or not _is_large(constants.get(node.input[1])):
            continue
        weight, (product,) = values_of(constants[node.input[1]], folder), node.output
        adding = None if product in results else _addition(readers.get(product, []), product, constants, weight)
        if adding is None:
            yield Product(node.input[0], weight, node.input[1], None, product, (node,))
        else:
            added, bias = adding
            values = values_of(constants[bias], folder)
            yield Product(node.input[0], weight, node.input[1], values, added.output[0], (node, added))


def _is_large(tensor: Any) -> bool:
    """Whether it is a float32 matrix that is worth it."""
    return (
        tensor is not None
        and tensor.data_type == TensorProto.FLOAT
        and len(tensor.dims) == 2
        and min(tensor.dims) >= _LEAST
    )


def _addition(readers: list[Any], product: str, constants: dict[str, Any], weight: Floats) -> tuple[Any, str] | None:
    """The only reader of a product and the name of its bias, where it adds a constant of a value for each column."""
    if len(readers) != 1 or readers[0].op_type != "Add":
        return None
    other = next((name for name in readers[0].input if name != product), product)
    if other not in constants or list(constants[other].dims) != [weight.shape[1]]:
        return None
    return readers[0], other
