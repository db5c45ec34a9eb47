"""The matrix multiplications of an ONNX graph that can be computed in int8."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import TensorProto

from edge_st_runtime.arrays import Floats

from ..graph.heads import PREFIX
from ..graph.tensors import readers_of, values_of, varying

_LEAST = 64  # rows and columns; for a smaller weight, converting its input to int8 does not pay


@dataclass(frozen=True, eq=False)
class MatMul:
    """A matrix multiplication: ``input`` (…, K) times the constant ``weight`` (K, N), plus any constant ``bias`` (N,).

    ``input``, ``weight_name`` and ``output`` are names of tensors; ``nodes`` compute the output.
    """

    input: str
    weight: Floats
    weight_name: str
    bias: Floats | None
    output: str
    nodes: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Group:
    """Matrix multiplications that share an input, which is quantized once for all of them, or a weight."""

    matmuls: tuple[MatMul, ...]

    @property
    def name(self) -> str:
        """The name of the group: the output of its first matrix multiplication."""
        return self.matmuls[0].output

    @property
    def inputs(self) -> tuple[str, ...]:
        """The distinct inputs."""
        return tuple(dict.fromkeys(matmul.input for matmul in self.matmuls))

    @property
    def width(self) -> int:
        """K, the width of the inputs."""
        return int(self.matmuls[0].weight.shape[0])


def find_groups(model: Any, folder: Path) -> tuple[Group, ...]:
    """The groups in the onnx.ModelProto ``model``, whose file is in ``folder``, in the order of its nodes."""
    groups: list[list[MatMul]] = []
    for matmul in _find_matmuls(model.graph, folder):
        joined = [group for group in groups if any(_belong(matmul, other) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*(member for group in joined for member in group), matmul])
    return tuple(Group(tuple(group)) for group in groups)


def _belong(one: MatMul, other: MatMul) -> bool:
    return one.input == other.input or one.weight_name == other.weight_name


def _find_matmuls(graph: Any, folder: Path) -> Iterator[MatMul]:
    constants, readers = {tensor.name: tensor for tensor in graph.initializer}, readers_of(graph)
    results, inputs = {output.name for output in graph.output}, varying(graph)
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[0] not in inputs or not _is_large(constants.get(node.input[1])):
            continue
        if node.name.startswith(PREFIX):
            continue  # a head costs next to nothing
        weight, (matmul,) = values_of(constants[node.input[1]], folder), node.output
        adding = None if matmul in results else _addition(readers.get(matmul, []), matmul, constants, weight)
        if adding is None:
            yield MatMul(node.input[0], weight, node.input[1], None, matmul, (node,))
        else:
            added, bias = adding
            values = values_of(constants[bias], folder)
            yield MatMul(node.input[0], weight, node.input[1], values, added.output[0], (node, added))


def _is_large(tensor: Any) -> bool:
    """Whether it is a float32 matrix that is large enough."""
    return (
        tensor is not None
        and tensor.data_type == TensorProto.FLOAT
        and len(tensor.dims) == 2
        and min(tensor.dims) >= _LEAST
    )


def _addition(readers: list[Any], matmul: str, constants: dict[str, Any], weight: Floats) -> tuple[Any, str] | None:
    """The Add node and the name of the bias, where adding a constant (N,) is all that the result is used for."""
    if len(readers) != 1 or readers[0].op_type != "Add":
        return None
    other = next((name for name in readers[0].input if name != matmul), matmul)
    if other not in constants or list(constants[other].dims) != [weight.shape[1]]:
        return None
    return readers[0], other
