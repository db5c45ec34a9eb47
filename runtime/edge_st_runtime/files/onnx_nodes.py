"""The nodes of an ONNX graph, read and written without onnx. Source: as of `onnx_graphs`."""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from .onnx_graphs import BYTES, Data, bytes_field, fields, integer_field

_INPUT, _OUTPUT, _OP_TYPE, _ATTRIBUTE, _DOMAIN = 1, 2, 4, 5, 7  # of a node
_NAME, _INTEGER, _TENSOR, _GRAPH, _INTEGERS, _KIND = 1, 3, 5, 6, 8, 20  # of an attribute
_KINDS = {_INTEGER: 2, _TENSOR: 4, _GRAPH: 5, _INTEGERS: 7}
_GRAPH_NODE, _GRAPH_NAME, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 2, 11, 12
_DIMS, _DATA_TYPE, _RAW, _INT64 = 1, 2, 9, 7  # of a tensor
_PORT_KIND, _TENSOR_KIND, _ELEMENT, _FLOAT, _SHAPE, _DIM = 2, 1, 1, 1, 2, 1  # of an output
#: an integer, integers, or a graph
Attribute: TypeAlias = "int | Sequence[int] | bytes"


class Node(NamedTuple):
    """A node; ``attributes`` are its AttributeProto messages."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: list[bytes]
    domain: str = ""


def read_node(data: Data, start: int, end: int) -> Node:
    """The node at this place; raises ValueError."""
    node = Node("", [], [], [])
    for number, kind, begin, stop in fields(data, start, end):
        if kind != BYTES:
            continue
        value = bytes(data[begin:stop])
        if number == _ATTRIBUTE:
            node.attributes.append(value)
        elif number == _OP_TYPE:
            node = node._replace(operator=value.decode())
        elif number == _DOMAIN:
            node = node._replace(domain=value.decode())
        elif number in (_INPUT, _OUTPUT):
            (node.inputs if number == _INPUT else node.outputs).append(value.decode())
    return node


def integer_attribute(node: Node, name: str) -> int | None:
    """The integer that the attribute ``name`` of ``node`` is, None where it has none."""
    for attribute in node.attributes:
        found = {number: (begin, stop) for number, _, begin, stop in fields(attribute, 0, len(attribute))}
        if _INTEGER in found and attribute[slice(*found[_NAME])] == name.encode():
            value, _ = found[_INTEGER]
            return value - 2**64 if value >= 2**63 else value
    return None


def make_node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Attribute) -> Node:
    """A node of a standard operator."""
    messages = [_attribute(name, value) for name, value in attributes.items()]
    return Node(operator, list(inputs), list(outputs), messages)


def make_constant(name: str, values: Sequence[int]) -> Node:
    """The node that gives ``values``, an int64 vector."""
    return _constant(name, len(values), _INT64, struct.pack(f"<{len(values)}q", *values))


def make_floats(name: str, values: Sequence[float]) -> Node:
    """The node that gives ``values``, a float32 vector."""
    return _constant(name, len(values), _FLOAT, struct.pack(f"<{len(values)}f", *values))


def _constant(name: str, size: int, kind: int, raw: bytes) -> Node:
    tensor = integer_field(_DIMS, size) + integer_field(_DATA_TYPE, kind) + bytes_field(_RAW, raw)
    value = bytes_field(_NAME, b"value") + bytes_field(_TENSOR, tensor) + integer_field(_KIND, _KINDS[_TENSOR])
    return Node("Constant", [], [name], [value])


def make_graph(name: str, nodes: Iterable[Node], inputs: Iterable[str], output: str, axes: int | None = None) -> bytes:
    """The graph of an attribute. Its ``output`` is float32 with so many ``axes``; None leaves that to be found out."""
    shape = b"".join(bytes_field(_DIM, b"") for _ in range(axes or 0))
    tensor = integer_field(_ELEMENT, _FLOAT) + bytes_field(_SHAPE, shape)
    kind = b"" if axes is None else bytes_field(_PORT_KIND, bytes_field(_TENSOR_KIND, tensor))
    parts = [
        bytes_field(_GRAPH_NAME, name.encode()),
        *(bytes_field(_GRAPH_NODE, encoded(node)) for node in nodes),
        *(bytes_field(_GRAPH_INPUT, bytes_field(_NAME, port.encode())) for port in inputs),
        bytes_field(_GRAPH_OUTPUT, bytes_field(_NAME, output.encode()) + kind),
    ]
    return b"".join(parts)


def encoded(node: Node) -> bytes:
    """The NodeProto message of ``node``."""
    parts = [
        *((_INPUT, name.encode()) for name in node.inputs),
        *((_OUTPUT, name.encode()) for name in node.outputs),
        (_OP_TYPE, node.operator.encode()),
        *((_ATTRIBUTE, attribute) for attribute in node.attributes),
        (_DOMAIN, node.domain.encode()),
    ]
    return b"".join(bytes_field(number, value) for number, value in parts)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, bytes):
        number, parts = _GRAPH, bytes_field(_GRAPH, value)
    elif isinstance(value, int):
        number, parts = _INTEGER, integer_field(_INTEGER, value)
    else:
        number, parts = _INTEGERS, b"".join(integer_field(_INTEGERS, each) for each in value)
    return bytes_field(_NAME, name.encode()) + parts + integer_field(_KIND, _KINDS[number])
