"""What an ONNX file says about itself: the files that hold its weights, and its operators. It needs no onnx.

Weights are skipped, not read. Source: onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), and the wire
format of protocol buffers.
"""

import mmap
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from ..errors import DamagedFileError, EdgeSTError, UnsafePathError
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
VARINT, BYTES, _FIXED = 0, 2, {1: 8, 5: 4}
_OPSETS, _DOMAIN, _VERSION = 8, 1, 2  # numbers of fields
_LOCATION = b"location"
_ADDRESS = "*/_ORT_MEM_ADDR_/*"  # what OpenVINO takes for an address in its own memory
_DEEPEST = 100  # the limit of protocol buffers
Data: TypeAlias = "mmap.mmap | bytes"


def external_files(graph: Path) -> list[Path]:
    """The files that hold weights of the ONNX file ``graph``, in the order of their names.

    Raises MissingFileError, DamagedFileError, and UnsafePathError for a file outside the folder of ``graph``, and for
    weights at an address in memory.
    """
    with mapped(graph) as data:
        return sorted(_files(graph, data).values())


def with_links_followed(graph: Path, root: str) -> bytes:
    """The ONNX file ``graph``, in which weights have the name of their real path, without the ``root`` it begins with.

    Raises what `external_files` raises.
    """
    with mapped(graph) as data:
        paths = {name: path.resolve().as_posix() for name, path in _files(graph, data).items()}
        names = {name: path.removeprefix(root).encode() for name, path in paths.items()}
        return _renamed(data, "model", 0, len(data), names)


def operators(graph: Path, wanted: Collection[str]) -> set[str]:
    """Those of the ``wanted`` operators that the ONNX file ``graph`` has; raises MissingFileError, DamagedFileError."""
    with mapped(graph) as data:
        found = {
            bytes(data[begin:stop])
            for kind, start, end in messages(data, [name.encode() for name in wanted])
            if kind == "node"
            for number, _, begin, stop in fields(data, start, end)
            if number == _OP_TYPE
        }
    return {name for name in wanted if name.encode() in found}


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
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


def messages(data: Data, needles: Collection[bytes]) -> Iterator[tuple[str, int, int]]:
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
        for number, _, begin, stop in fields(data, start, end) if nested else ():
            if number in nested:
                waiting.append((depth + 1, nested[number], begin, stop))


def _files(graph: Path, data: Data) -> dict[str, Path]:
    entries = {
        entry
        for kind, start, end in messages(data, [_LOCATION])
        if kind == "tensor"
        for entry in _location_entries(data, start, end)
    }
    found = {location for entry in entries for location in _location(entry)}
    if _ADDRESS in found:
        raise UnsafePathError(f"{graph} has weights at an address in memory; do not use this model")
    return {location: inside(graph.parent, location) for location in found}


def _location_entries(data: Data, start: int, end: int) -> list[bytes]:
    """What the tensor at this place says of the file that holds its values; nothing where it holds them itself."""
    entries, external = [], False
    for number, _, begin, stop in fields(data, start, end):
        if number == _ENTRY and data.find(_LOCATION, begin, stop) >= 0:
            entries.append(bytes(data[begin:stop]))
        elif number == _DATA_LOCATION:
            external = begin == _EXTERNAL
    return entries if external else []


def _location(entry: bytes) -> list[str]:
    values = {number: entry[begin:stop] for number, _, begin, stop in fields(entry, 0, len(entry))}
    return [values.get(_VALUE, b"").decode()] if values.get(_KEY) == _LOCATION else []


def _renamed(data: Data, kind: str, start: int, end: int, names: Mapping[str, bytes]) -> bytes:
    """The message at this place, with ``names`` in place of the locations of weights."""
    parts, copied = [], start
    for number, _, begin, stop in fields(data, start, end):
        nested = _NESTED[kind].get(number)
        if nested:
            parts.append(bytes_field(number, _renamed(data, nested, begin, stop, names)))
        elif kind == "tensor" and number == _ENTRY and (location := _location(data[begin:stop])):
            name = names.get(location[0], location[0].encode())
            parts.append(bytes_field(number, bytes_field(_KEY, _LOCATION) + bytes_field(_VALUE, name)))
        else:
            parts.append(data[copied:stop])
        copied = stop
    return b"".join(parts)


def opset_of(data: Data) -> int:
    """The version of the standard operators in the ONNX file ``data``; 0 where it does not say."""
    for number, _, begin, stop in fields(data, 0, len(data)):
        if number == _OPSETS:
            found = {kind: (start, end) for kind, _, start, end in fields(data, begin, stop)}
            start, end = found.get(_DOMAIN, (0, 0))
            if start == end:
                return found[_VERSION][0]
    return 0


def bytes_field(number: int, value: bytes) -> bytes:
    """A field of bytes."""
    return _varint(number << 3 | BYTES) + _varint(len(value)) + value


def integer_field(number: int, value: int) -> bytes:
    """A field of an integer, negative ones in two's complement."""
    return _varint(number << 3 | VARINT) + _varint(value % 2**64)


def _varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


def fields(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The number and the wire type of each field of the message at this place, and where its value begins and ends.

    Of an integer, the value itself comes first. Raises ValueError.
    """
    while start < end:
        tag, start = integer(data, start, end)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, start = integer(data, start, end)
            yield number, kind, value, start
            continue
        size, start = integer(data, start, end) if kind == BYTES else (_FIXED.get(kind, -1), start)
        if size < 0 or start + size > end:
            raise ValueError(f"a field at byte {start} does not end within its message")
        yield number, kind, start, start + size
        start += size


def integer(data: Data, start: int, end: int) -> tuple[int, int]:
    """The integer at ``start``, and where it ends; raises ValueError."""
    if start < end and data[start] < 128:
        return data[start], start + 1
    value = 0
    for place in range(start, min(end, start + 10)):
        byte = data[place]
        value |= (byte & 127) << 7 * (place - start)
        if byte < 128:
            return value, place + 1
    raise ValueError(f"an integer at byte {start} has no end")
