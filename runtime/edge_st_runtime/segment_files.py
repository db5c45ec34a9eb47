"""One segment of postings as files: an array each, memory-mapped when read, and the words."""

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from .errors import DamagedFileError, MissingFileError
from .files import inside, read_json_list, sha256
from .postings import Postings

PREFIX, REPAIR = "segment-", "build the index again, or restore the folder"
SEGMENT_NAME = re.compile(f"{PREFIX}[0-9a-f]{{32}}")
_DTYPES = {"indptr": np.int64, "documents": np.int32, "weights": np.float32, "lengths": np.float32}


def write_segment(folder: Path, part: Postings) -> dict[str, Any]:
    """Write ``part`` to a new sub-folder, which goes again where that fails: its entry for the manifest."""
    name = f"{PREFIX}{uuid4().hex}"
    target = folder / name
    target.mkdir()
    try:
        for field in _DTYPES:
            with synced(target / f"{field}.npy") as file:
                np.save(file, getattr(part, field))
        with synced(target / "words.json") as file:
            file.write(json.dumps(part.words, ensure_ascii=True).encode())
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    files = sorted(target.iterdir())
    return {
        "name": name,
        "files": {file.name: {"bytes": file.stat().st_size, "sha256": sha256(file)} for file in files},
    }


@contextmanager
def synced(path: Path) -> Iterator[BinaryIO]:
    """The file ``path`` to write to, on the disk when the block ends."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def read_segment(folder: Path, entry: Mapping[str, Any]) -> Postings:
    """The segment of ``entry``, memory-mapped; raises MissingFileError, DamagedFileError or UnsafePathError."""
    try:
        target = _place(folder, entry)
        for name, written in entry["files"].items():
            _check_size(inside(target, name), written["bytes"])
        arrays = {field: _read_array(target / f"{field}.npy", dtype) for field, dtype in _DTYPES.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(f"the manifest in {folder} lacks or misspells {error}; {REPAIR}") from error
    part = Postings(**arrays, words=tuple(read_json_list(target / "words.json")))
    ends = part.indptr
    rising = len(ends) > 0 and ends[0] == 0 and np.all(ends[:-1] <= ends[1:])
    if not (rising and ends[-1] == len(part.documents) == len(part.weights)):
        raise DamagedFileError(f"{target} holds arrays that do not belong together; {REPAIR}")
    return part


def verify_segment(folder: Path, entry: Mapping[str, Any]) -> None:
    """Raise MissingFileError or DamagedFileError for a file that has not the checksum in ``entry``."""
    for name, written in entry["files"].items():
        file = inside(_place(folder, entry), name)
        _check_size(file, written["bytes"])
        if (found := sha256(file)) != (expected := written.get("sha256")):
            raise DamagedFileError(f"{file} has sha256 {found}, expected {expected}; {REPAIR}")


def remove_segments(folder: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Remove the sub-folders of ``entries`` as far as the system allows."""
    for entry in entries:
        shutil.rmtree(_place(folder, entry), ignore_errors=True)


def _place(folder: Path, entry: Mapping[str, Any]) -> Path:
    if not SEGMENT_NAME.fullmatch(entry["name"]):
        raise DamagedFileError(f"the manifest in {folder} names a segment {entry['name']!r}; {REPAIR}")
    return folder / entry["name"]


def _check_size(path: Path, expected: int) -> None:
    if not path.is_file():
        raise MissingFileError(f"{path} is missing; {REPAIR}")
    if (found := path.stat().st_size) != expected:
        raise DamagedFileError(f"{path} has {found} bytes, expected {expected}; {REPAIR}")


def _read_array(path: Path, dtype: Any) -> NDArray[Any]:
    try:
        array = np.asarray(np.load(path, mmap_mode="r"))  # a plain array over the map: its slices are cheaper
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise DamagedFileError(f"{path} cannot be read ({error}); {REPAIR}") from error
    if array.ndim != 1 or array.dtype != dtype:
        raise DamagedFileError(f"{path} holds {array.dtype} {array.shape}; expected {np.dtype(dtype)} (n,); {REPAIR}")
    return array
