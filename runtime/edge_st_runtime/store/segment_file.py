"""One segment of an index as a file: columns in the safetensors format, memory-mapped when they are read."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError
from ..files.fields import Fields
from ..files.reading import sha256
from ..files.regular import opening
from ..files.weights import DTYPES, read_safetensors

REPAIR = "build the index again, or restore the folder"
SEGMENT_NAME = re.compile(r"segment-[0-9a-f]{32}\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")
Entry: TypeAlias = Mapping[str, Any]
_NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items() if name != "BF16"}
_ALIGNMENT = 64


@dataclass(frozen=True, eq=False, slots=True)
class Column:
    """An array of ``dtype`` and ``shape``, given as consecutive ``chunks`` so that it need not be in memory whole."""

    dtype: Any
    shape: tuple[int, ...]
    chunks: Iterable[NDArray[Any]]

    @classmethod
    def of(cls, array: NDArray[Any]) -> "Column":
        """A column with the numbers of ``array``."""
        return cls(array.dtype, array.shape, [array])

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


def write_segment(folder: Path, columns: Mapping[str, Column]) -> dict[str, Any]:
    """Write ``columns`` to a new file in ``folder`` and return its entry for the manifest.

    The file is removed again where writing fails. Columns with wide numbers come first, so that all are aligned.
    """
    name = f"segment-{uuid4().hex}.safetensors"
    ordered = sorted(columns, key=lambda key: -np.dtype(columns[key].dtype).itemsize)
    digest = hashlib.sha256()
    try:
        with synced(folder / name) as file:
            for chunk in (_header(columns, ordered), *_bytes(columns, ordered)):
                digest.update(chunk)
                file.write(chunk)
            size = file.tell()
    except BaseException:
        (folder / name).unlink(missing_ok=True)
        raise
    return {"name": name, "bytes": size, "sha256": digest.hexdigest()}


def _header(columns: Mapping[str, Column], ordered: Iterable[str]) -> bytes:
    described, end = {}, 0
    for name in ordered:
        column = columns[name]
        start, end = end, end + column.nbytes
        dtype = _NAMES[np.dtype(column.dtype)]
        described[name] = {"dtype": dtype, "shape": column.shape, "data_offsets": [start, end]}
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _bytes(columns: Mapping[str, Column], ordered: Iterable[str]) -> Iterator[Any]:
    for name in ordered:
        missing = columns[name].nbytes
        for chunk in columns[name].chunks:
            missing -= chunk.nbytes
            yield np.ascontiguousarray(chunk, dtype=columns[name].dtype).reshape(-1).view(np.uint8).data
        assert missing == 0, f"{name} lacks {missing} bytes"


@contextmanager
def synced(path: Path) -> Iterator[BinaryIO]:
    """The file ``path`` to write to; its content is synced to the disk when the block ends."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def read_segment(folder: Path, entry: Entry) -> dict[str, NDArray[Any]]:
    """The columns of ``entry``, memory-mapped; raises MissingFileError or DamagedFileError."""
    with _reading(folder, entry) as path:
        _check_size(path, entry["bytes"])
        return read_safetensors(path, REPAIR)


def checked_column(columns: Mapping[str, NDArray[Any]], name: str, dtype: Any, where: object) -> NDArray[Any]:
    """The column ``name``; raises DamagedFileError, which names ``where``, if it is missing or not of ``dtype``."""
    found = columns.get(name)
    if found is None or found.dtype != dtype:
        what = "no such column" if found is None else found.dtype
        raise DamagedFileError(f"{where} holds {what} for {name!r}; expected {np.dtype(dtype)}; {REPAIR}")
    return found


def verify_segment(folder: Path, entry: Entry) -> None:
    """Raise MissingFileError or DamagedFileError unless the file has the size and the checksum in ``entry``."""
    with _reading(folder, entry) as path:
        _check_size(path, entry["bytes"])
        if (found := sha256(path)) != entry["sha256"]:
            raise DamagedFileError(f"{path} has sha256 {found}, expected {entry['sha256']}; {REPAIR}")


def remove_segments(folder: Path, entries: Iterable[Entry]) -> None:
    """Remove the files of ``entries`` as far as the system allows; the next writer removes those that stay."""
    for entry in entries:
        try:
            (folder / entry["name"]).unlink(missing_ok=True)
        except (PermissionError, IsADirectoryError):  # on Windows, while a reader still has the file mapped
            continue


def check_entry(entry: Fields) -> str:
    """The name of the file in a manifest's ``entry``; raises DamagedFileError where a value of it is not as written."""
    entry.count("bytes")
    entry.text("sha256", _SHA256)
    return entry.text("name", SEGMENT_NAME)


@contextmanager
def _reading(folder: Path, entry: Entry) -> Iterator[Path]:
    """The path of ``entry``'s file, for the block that reads it; raises what `opening` raises."""
    path = folder / entry["name"]
    with opening(path, REPAIR):
        yield path


def _check_size(path: Path, expected: int) -> None:
    if (found := path.stat().st_size) != expected:
        raise DamagedFileError(f"{path} has {found} bytes, expected {expected}; {REPAIR}")
