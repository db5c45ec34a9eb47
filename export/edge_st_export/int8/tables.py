"""Embedding tables in int8, with a scale for every row."""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ..graph.tensors import drop_unread, readers_of, values_of

_LEAST_ROWS = 1024


def quantize_tables(model: Any, folder: Path) -> int:
    """Store the tables that the onnx.ModelProto ``model`` only looks rows up in as int8; return how many there are.

    The model's file is in ``folder``. Rows become float32 when they are looked up; the table as a whole never does.
    """
    graph = model.graph
    readers = readers_of(graph)
    tables = {
        tensor.name: tensor
        for tensor in graph.initializer
        if _is_table(tensor) and all(_looks_up(node, tensor.name) for node in readers.get(tensor.name, []))
    }
    nodes = []
    for node in graph.node:
        nodes += _looked_up(node, node.input[0]) if node.input and node.input[0] in tables else [node]
    for table in tables.values():
        graph.initializer.extend(_quantized(table, folder))
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unread(graph)
    return len(tables)


def _is_table(tensor: Any) -> bool:
    return tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2 and tensor.dims[0] >= _LEAST_ROWS


def _looks_up(node: Any, table: str) -> bool:
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    return node.op_type == "Gather" and node.input[0] == table and axis == 0


def _quantized(table: Any, folder: Path) -> list[Any]:
    values = values_of(table, folder)
    scales = (np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12) / 127).astype(np.float32)
    codes = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
    return [
        numpy_helper.from_array(codes, f"{table.name}_int8"),
        numpy_helper.from_array(scales, f"{table.name}_scales"),
    ]


def _looked_up(node: Any, table: str) -> list[Any]:
    ids, (found,) = node.input[1], node.output
    codes, floats, scales = f"{found}_codes", f"{found}_floats", f"{found}_scales"
    return [
        helper.make_node("Gather", [f"{table}_int8", ids], [codes], axis=0),
        helper.make_node("Cast", [codes], [floats], to=TensorProto.FLOAT),
        helper.make_node("Gather", [f"{table}_scales", ids], [scales], axis=0),
        helper.make_node("Mul", [floats, scales], [found]),
    ]
