"""A folder of segments that grows by whole segments or not at all.

A small manifest lists the segments. They are written first and never changed; renaming a new manifest over the old
one makes them visible, so readers see the one or the other. What a killed process leaves behind is in no manifest, and
is removed by the next writer. One process at a time may write: it holds a lock, which the system takes from a dead one.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from ..errors import DamagedFileError, FolderError, FolderNotFoundError, MissingFileError, NotAFolderError
from ..files.reading import read_json
from .segment_file import REPAIR, SEGMENT_NAME, Entry, synced

T = TypeVar("T")
FORMAT_VERSION = 2
INDEX, POSTINGS = "index.json", "postings.json"
_LOCK, _CHECKSUM = ".lock", "sha256"
_UNFINISHED = re.compile(r"\.[a-z]+\.json\.[0-9a-f]{32}")


def empty_manifest(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of an index of a ``kind`` without segments."""
    return {"format_version": FORMAT_VERSION, "kind": kind, "settings": dict(settings), "segments": []}


def read_manifest(folder: Path, name: str, kind: str) -> dict[str, Any]:
    """The manifest ``name`` in ``folder``.

    Raises FolderNotFoundError, NotAFolderError, FolderError for a folder without one or of another kind, and
    DamagedFileError for one that is not as it was written.
    """
    if not folder.is_dir():
        wrong = NotAFolderError if folder.exists() else FolderNotFoundError
        what = "a file" if folder.exists() else "not there"
        raise wrong(f"{folder} is {what}; expected a folder that {kind} wrote")
    path = folder / name
    if not path.is_file():
        raise FolderError(f"{folder} has no {name}; expected a folder that {kind} wrote")
    manifest = read_json(path, REPAIR)
    if manifest.get("format_version") != FORMAT_VERSION:
        raise DamagedFileError(
            f"{path} has format version {manifest.get('format_version')!r}, this edge-st reads {FORMAT_VERSION}; "
            "update with: pip install -U edge-st, or build the index again"
        )
    if manifest.pop(_CHECKSUM, None) != _checksum(manifest):
        raise DamagedFileError(f"{path} is not as it was written: its checksum differs; {REPAIR}")
    if manifest["kind"] != kind:
        raise FolderError(f"{folder} was not written by {kind}; open it with {manifest['kind']}.open")
    return manifest


def read_steadily(folder: Path, name: str, kind: str, read: Callable[[dict[str, Any]], T]) -> T:
    """What ``read`` makes of the manifest: again where a writer has replaced it, and its files, meanwhile.

    Raises what `read_manifest` and ``read`` raise; MissingFileError only for a file that the newest manifest names.
    """
    while True:
        manifest = read_manifest(folder, name, kind)
        try:
            return read(manifest)
        except MissingFileError:
            if read_manifest(folder, name, kind) == manifest:
                raise


def publish(folder: Path, name: str, manifest: Mapping[str, Any]) -> None:
    """Put ``manifest`` in place of the one called ``name``: whole, on the disk, at one instant."""
    part = folder / f".{name}.{uuid4().hex}"
    try:
        with synced(part) as file:
            file.write(json.dumps({**manifest, _CHECKSUM: _checksum(manifest)}, indent=1).encode() + b"\n")
        replace(part, folder / name)
    finally:
        part.unlink(missing_ok=True)


def replace(source: Path, target: Path) -> None:
    """Rename ``source`` over ``target``, and have the folder on the disk where the system can do that."""
    source.replace(target)
    with suppress(OSError):  # it is done: a failure here must not look as if it were not
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def clean(folder: Path, manifests: Sequence[Mapping[str, Any]]) -> None:
    """Remove segments that none of ``manifests`` lists, and manifests that were never finished."""
    kept = {entry["name"] for manifest in manifests for entry in listed(manifest)}
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name) or (SEGMENT_NAME.fullmatch(path.name) and path.name not in kept):
            with suppress(PermissionError):  # on Windows, where a reader still has it mapped
                path.unlink(missing_ok=True)


def check_alone(folder: Path, name: str) -> None:
    """Raise FolderError where ``folder`` has a manifest of the other kind than ``name``: each would remove the other's
    segments as leftovers.
    """
    (other,) = {INDEX, POSTINGS} - {name}
    if (folder / other).exists():
        raise FolderError(f"{folder} has {other}, and so holds another index; choose another folder")


def listed(manifest: Mapping[str, Any]) -> Iterator[Entry]:
    """The entry of every file that ``manifest`` names."""
    for entry in manifest["segments"]:
        yield entry
        if entry.get("deleted"):
            yield entry["deleted"]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError within the block into a FolderError that says what to do."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FolderError):
            raise
        raise FolderError(f"cannot write to {path} ({error}); make it writable, or write to another folder") from error


def lock(folder: Path) -> Any:
    """The folder's lock, held until its ``release()`` or the end of the process.

    Raises FolderError where another process, or another object of this one, writes to the folder.
    """
    from filelock import FileLock, Timeout

    held = FileLock(folder / _LOCK, timeout=0, thread_local=False)
    with writing(folder):
        try:
            held.acquire()
        except Timeout:
            raise FolderError(
                f"{folder} is open for writing elsewhere; close that one, or open this one to read: mode='r'"
            ) from None
    return held


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
