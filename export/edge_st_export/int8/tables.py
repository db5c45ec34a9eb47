"""Embedding tables in int8, a scale for every row."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from .rewrite import drop_unread

_LEAST_ROWS = 1024


def quantize_tables(model: Any) -> int:
    """Store the tables that the onnx.ModelProto ``model`` looks rows up in as int8; returns how many there were.

    A row is made float32 when it is looked up, so the table never is.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes, changed = [], set()
    for node in graph.node:
        table = constants.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or _axis(node) != 0 or len(table.dims) != 2 or table.dims[0] < _LEAST_ROWS:
            nodes.append(node)
            continue
        if table.data_type != TensorProto.FLOAT:
            nodes.append(node)
            continue
        if table.name not in changed:
            changed.add(table.name)
            graph.initializer.extend(_quantized(table))
        nodes += _looked_up(node, table.name)
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unread(graph)
    return len(changed)


def _axis(node: Any) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)


def _quantized(table: Any) -> list[Any]:
    values = numpy_helper.to_array(table)
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
