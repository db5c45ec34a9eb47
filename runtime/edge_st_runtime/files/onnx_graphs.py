"""What an ONNX file says about itself: the files that hold its weights, and its operators. It needs no onnx.

Weights are skipped, not read. Source: onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), and the wire
format of protocol buffers.
"""

import mmap
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from ..errors import DamagedFileError, EdgeSTError
from .reading import inside
from .regular import opening

#: by message: the fields that hold other messages
_NESTED = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_OP_TYPE, _ENTRY, _DATA_LOCATION, _EXTERNAL, _KEY, _VALUE = 4, 13, 14, 1, 1, 2
_VARINT, _BYTES, _FIXED = 0, 2, {1: 8, 5: 4}
_LOCATION = b"location"
_DEEPEST = 100  # the limit of protocol buffers
Data: TypeAlias = "mmap.mmap | bytes"


def external_files(graph: Path) -> list[Path]:
    """The files that hold weights of the ONNX file ``graph``, in the order of their names.

    Raises MissingFileError, DamagedFileError, and UnsafePathError for a file outside the folder of ``graph``.
    """
    with _mapped(graph) as data:
        entries = {
            entry
            for kind, start, end in _messages(data, [_LOCATION])
            if kind == "tensor"
            for entry in _location_entries(data, start, end)
        }
        locations = {location for entry in entries for location in _location(entry)}
    return sorted(inside(graph.parent, location) for location in locations)


def operators(graph: Path, wanted: Collection[str]) -> set[str]:
    """Those of the ``wanted`` operators that the ONNX file ``graph`` has; raises MissingFileError, DamagedFileError."""
    with _mapped(graph) as data:
        found = {
            bytes(data[begin:stop])
            for kind, start, end in _messages(data, [name.encode() for name in wanted])
            if kind == "node"
            for number, begin, stop in _fields(data, start, end)
            if number == _OP_TYPE
        }
    return {name for name in wanted if name.encode() in found}


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    """The bytes of the file; what shows in the block that it is damaged raises DamagedFileError."""
    try:
        with (
            opening(path, "export the model again or download it"),
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            yield data
    except (ValueError, LookupError) as error:
        if isinstance(error, EdgeSTError):
            raise
        raise DamagedFileError(
            f"{path} is truncated or not an ONNX file ({error}); download it again, or export it again with: "
            "edge-st export"
        ) from error


def _messages(data: Data, needles: Collection[bytes]) -> Iterator[tuple[str, int, int]]:
    """All tensors, and all nodes with one of ``needles`` in them: the kind, and where the message begins and ends."""
    waiting = [(0, "model", 0, len(data))]
    while waiting:
        depth, kind, start, end = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError(f"graphs within graphs, more than {_DEEPEST} deep")
        if kind == "node" and not any(data.find(needle, start, end) >= 0 for needle in needles):
            continue
        if kind in ("tensor", "node"):
            yield kind, start, end
        nested = _NESTED[kind]
        for number, begin, stop in _fields(data, start, end) if nested else ():
            if number in nested:
                waiting.append((depth + 1, nested[number], begin, stop))


def _location_entries(data: Data, start: int, end: int) -> list[bytes]:
    """What the tensor at this place says of the file that holds its values; nothing where it holds them itself."""
    entries, external = [], False
    for number, begin, stop in _fields(data, start, end):
        if number == _ENTRY and data.find(_LOCATION, begin, stop) >= 0:
            entries.append(bytes(data[begin:stop]))
        elif number == _DATA_LOCATION:
            external = begin == _EXTERNAL
    return entries if external else []


def _location(entry: bytes) -> list[str]:
    values = {number: entry[begin:stop] for number, begin, stop in _fields(entry, 0, len(entry))}
    return [values.get(_VALUE, b"").decode()] if values.get(_KEY) == _LOCATION else []


def _fields(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The number of each field of the message at this place, and where its value begins and ends.

    Of an integer, the value itself comes first. Raises ValueError.
    """
    while start < end:
        tag, start = _integer(data, start, end)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, start = _integer(data, start, end)
            yield number, value, start
            continue
        size, start = _integer(data, start, end) if kind == _BYTES else (_FIXED.get(kind, -1), start)
        if size < 0 or start + size > end:
            raise ValueError(f"a field at byte {start} does not end within its message")
        yield number, start, start + size
        start += size


def _integer(data: Data, start: int, end: int) -> tuple[int, int]:
    if start < end and data[start] < 128:
        return data[start], start + 1
    value = 0
    for place in range(start, min(end, start + 10)):
        byte = data[place]
        value |= (byte & 127) << 7 * (place - start)
        if byte < 128:
            return value, place + 1
    raise ValueError(f"an integer at byte {start} has no end")
