"""Weights that an ONNX graph looks rows up in and multiplies by, stored once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ..builder.shared_rows import MARK, PRODUCT, product, rows_of
from .tensors import drop_unread, readers_of, values_of

_LEAST = 1024  # bytes; sharing less does not pay
_BITS: Mapping[int, np.dtype[Any]] = {TensorProto.FLOAT: np.dtype("<u4"), TensorProto.FLOAT16: np.dtype("<u2")}
Bits: TypeAlias = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class _Rows:
    """The rows from ``start`` to ``end`` of the constant ``matrix``; ``whole`` says whether these are all."""

    matrix: str
    start: int
    end: int
    whole: bool


def share_weights(graph: Any) -> None:
    """Multiply by the rows of another weight wherever ``graph`` stores these a second time, transposed.

    PyTorch's exporter stores the projection onto the vocabulary so, beside the word embeddings whose values it has.
    The product is a Gemm, which engines compute from the rows as they are: nothing is transposed when the graph is
    loaded. The values must be in the graph, not in a file beside it.
    """
    inputs = {port.name for port in graph.input}
    multiplied = {
        name
        for name, nodes in readers_of(graph).items()
        if name not in inputs and all(node.op_type == "MatMul" and node.input[1] == name for node in nodes)
    }
    matrices = [tensor for tensor in graph.initializer if _is_matrix(tensor)]
    stored: list[tuple[str, Bits]] = []
    shared: dict[str, _Rows] = {}
    for tensor in sorted(matrices, key=lambda matrix: matrix.name in multiplied):
        bits: Bits = np.frombuffer(tensor.raw_data, _BITS[tensor.data_type]).reshape(tensor.dims)
        found = _find_rows(bits.T, stored) if tensor.name in multiplied else None
        if found is None:
            stored.append((tensor.name, bits))
        else:
            shared[tensor.name] = found
    if shared:
        _multiply_by_rows(graph, shared)


def unshare_weights(graph: Any, folder: Path) -> None:
    """Undo `share_weights`, for those who look for matrix multiplications by constants.

    ``folder`` is where the graph's file is.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    marked = {node.output[0]: node for node in graph.node if node.name.endswith(MARK)}
    added: dict[str, Any] = {}
    nodes = []
    for node in graph.node:
        if node.output[0] not in marked:
            nodes.append(node)
        elif node.op_type == "Gemm":
            name, output = node.name.removesuffix(MARK), node.output[0].removesuffix(PRODUCT)
            if name not in added:
                rows = _values_of_rows(node.input[1], marked, constants, folder)
                added[name] = numpy_helper.from_array(np.ascontiguousarray(rows.T), name)
            nodes.append(helper.make_node("MatMul", [marked[node.input[0]].input[0], name], [output]))
    _replace_nodes(graph, nodes)
    graph.initializer.extend(added.values())
    drop_unread(graph)


def _is_matrix(tensor: Any) -> bool:
    return tensor.data_type in _BITS and len(tensor.dims) == 2 and len(tensor.raw_data) >= _LEAST


def _find_rows(wanted: Bits, stored: Iterable[tuple[str, Bits]]) -> _Rows | None:
    """Where the rows ``wanted`` are stored already."""
    for name, matrix in stored:
        last = len(matrix) - len(wanted)
        if matrix.dtype == wanted.dtype and matrix.shape[1] == wanted.shape[1] and last >= 0:
            starts = np.flatnonzero(matrix[: last + 1, 0] == wanted[0, 0])
            for start in starts[(matrix[starts] == wanted[0]).all(axis=1)].tolist():
                if np.array_equal(matrix[start : start + len(wanted)], wanted):
                    return _Rows(name, start, start + len(wanted), whole=last == 0)
    return None


def _multiply_by_rows(graph: Any, shared: Mapping[str, _Rows]) -> None:
    """Multiply by these rows instead of by the constants, which are removed."""
    added: dict[str, Any] = {}
    vector = partial(_vector, added)
    nodes = []
    for name, rows in shared.items():
        if not rows.whole:
            nodes.append(rows_of(rows.matrix, rows.start, rows.end, f"{name}_of_rows", vector))
    sizes = {tensor.name: tensor.dims for tensor in graph.initializer if tensor.name in shared}
    for node in graph.node:
        name = node.input[1] if node.op_type == "MatMul" else ""
        if name in shared:
            source = shared[name].matrix if shared[name].whole else f"{name}_of_rows"
            nodes += product(node.input[0], source, sizes[name], name, node.output[0], vector)
        else:
            nodes.append(node)
    _replace_nodes(graph, nodes)
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name in shared:
            del graph.initializer[place]
    graph.initializer.extend(added.values())


def _vector(added: dict[str, Any], *values: int) -> str:
    """The name of the constant ``values``, which is ``added`` unless it is there."""
    name = f"int64_{'_'.join(map(str, values))}{MARK}"
    added.setdefault(name, numpy_helper.from_array(np.array(values, dtype=np.int64), name))
    return name


def _values_of_rows(name: str, marked: Mapping[str, Any], constants: Mapping[str, Any], folder: Path) -> NDArray[Any]:
    """The constant ``name``, or the rows that a Slice takes of one."""
    if name in constants:
        return values_of(constants[name], folder)
    values, start, end, _ = (values_of(constants[each], folder) for each in marked[name].input)
    rows: NDArray[Any] = values[start.item() : end.item()]
    return rows


def _replace_nodes(graph: Any, nodes: Sequence[Any]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)
