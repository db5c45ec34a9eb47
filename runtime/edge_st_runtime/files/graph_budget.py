"""What a graph could make an engine do without end: loops, and tensors whose size the file alone decides.

No engine can be told to stop for either, so such graphs are refused before an engine gets them.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import UnsupportedModelError
from .onnx_graphs import BYTES, VARINT, Data, fields, integer, mapped, messages
from .onnx_nodes import read_node
from .regular import opening

#: the most elements of a tensor that a graph makes from constants: 1 GB in float32
LARGEST = 2**28
_LOOP = "Loop"
#: in an OpenVINO graph: a layer of this type, or of one whose name is disguised
_LOOP_LAYER = re.compile(rb"""\btype\s*=\s*["'](?:Loop["']|[^"']*&)|\0""")
#: operators that make a tensor of any size, and the input that says of which
_MAKERS = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1, "Range": 1, "OneHot": 1, "Pad": 1, "Resize": 3}
_ATTRIBUTE_INTEGER, _ATTRIBUTE_TENSOR, _ATTRIBUTE_INTEGERS = 3, 5, 8
_INT32_DATA, _INT64_DATA, _NAME, _RAW = 5, 7, 8, 9
_DATA_TYPE, _INT32, _INT64 = 2, 6, 7
_MOST_AXES = 64
_ADVICE = "do not use this graph, or export the model again with: edge-st export"


def check_budget(graph: Path) -> None:
    """Raise UnsupportedModelError where ``graph`` has a loop, or makes a tensor of more than `LARGEST` elements.

    What a graph computes from the texts' own length is not looked at. Raises MissingFileError and DamagedFileError.
    """
    if graph.suffix == ".xml":
        with opening(graph, _ADVICE):
            found = _LOOP_LAYER.search(graph.read_bytes())
        if found:
            raise _has_a_loop(graph)
    if graph.suffix != ".onnx":
        return
    with mapped(graph) as data:
        wanted: dict[str, str] = {}
        for kind, start, end in messages(data, [name.encode() for name in (_LOOP, *_MAKERS)]):
            node = read_node(data, start, end) if kind == "node" else None
            if node is not None and node.operator == _LOOP:
                raise _has_a_loop(graph)
            place = _MAKERS.get(node.operator) if node is not None else None
            if node is not None and place is not None and len(node.inputs) > place:
                wanted[node.inputs[place]] = node.operator
        for name, values in _constants(data, wanted) if wanted else ():
            elements = math.prod(max(1, abs(value)) for value in values)
            if elements > LARGEST:
                raise UnsupportedModelError(
                    f"{graph}: {wanted[name]} makes a tensor of {elements} elements; expected no more than "
                    f"{LARGEST}: {_ADVICE}"
                )


def _has_a_loop(graph: Path) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{graph} has the operator Loop, which need not end; expected a graph without loops: {_ADVICE}"
    )


def _constants(data: Data, wanted: Mapping[str, str]) -> Iterator[tuple[str, list[int]]]:
    """The constants among ``wanted`` that hold a few integers: their names and values."""
    for kind, start, end in messages(data, [name.encode() for name in wanted]):
        if kind == "tensor":
            name, values = _tensor(data, start, end)
            if name in wanted:
                yield name, values
            continue
        node = read_node(data, start, end)
        if node.operator == "Constant" and node.outputs and node.outputs[0] in wanted:
            for attribute in node.attributes:
                yield node.outputs[0], _attribute(attribute)


def _attribute(data: bytes) -> list[int]:
    found: list[int] = []
    for number, kind, begin, stop in fields(data, 0, len(data)):
        if number == _ATTRIBUTE_TENSOR and kind == BYTES:
            found += _tensor(data, begin, stop)[1]
        elif number in (_ATTRIBUTE_INTEGER, _ATTRIBUTE_INTEGERS):
            found += _integers(data, kind, begin, stop)
    return found


def _tensor(data: Data, start: int, end: int) -> tuple[str, list[int]]:
    """The name of the tensor at this place, and its values where they are a few integers."""
    name, size, values, raw = b"", 0, list[int](), b""
    for number, kind, begin, stop in fields(data, start, end):
        if number == _NAME and kind == BYTES:
            name = bytes(data[begin:stop])
        elif number == _DATA_TYPE and kind == VARINT:
            size = {_INT32: 4, _INT64: 8}.get(begin, 0)
        elif number in (_INT32_DATA, _INT64_DATA) and len(values) <= _MOST_AXES:
            values += _integers(data, kind, begin, stop)
        elif number == _RAW and kind == BYTES and stop - begin <= 8 * _MOST_AXES:
            raw = bytes(data[begin:stop])
    if size and raw:
        values = [int.from_bytes(raw[at : at + size], "little", signed=True) for at in range(0, len(raw), size)]
    return name.decode(), values[:_MOST_AXES] if size else []


def _integers(data: Data, kind: int, begin: int, stop: int) -> list[int]:
    """The signed integers of a field, packed or one alone."""
    found = [begin] if kind == VARINT else []
    while kind == BYTES and begin < stop and len(found) <= _MOST_AXES:
        value, begin = integer(data, begin, stop)
        found.append(value)
    return [value - 2**64 if value >= 2**63 else value for value in found]
