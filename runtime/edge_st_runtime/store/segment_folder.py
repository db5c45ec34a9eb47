"""A folder of segments, changed atomically: after a crash it holds the state before or after a change, never a mixture.

A small JSON file, the manifest, lists the segments. A segment is written before it is listed, and never changed. A
change becomes visible when a new manifest is renamed over the old one. Files that a killed process leaves behind are
listed nowhere; the next writer removes them. A lock lets one process write at a time; the system releases the lock of
a process that ends.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from ..errors import DamagedFileError, FolderError, FolderNotFoundError, MissingFileError
from ..files.fields import Fields
from ..files.reading import read_json
from ..files.regular import is_folder, is_there
from ..files.writing import writing
from .segment_file import REPAIR, SEGMENT_NAME, Entry, check_entry, synced

T = TypeVar("T")
FORMAT_VERSION = 2
INDEX, POSTINGS = "index.json", "postings.json"
#: the manifest's name for the file by whose parameters the vectors of all segments are encoded, where there is one
CODEC = "codec"
_EXPECTED = "expected the folder of an index"
_LOCK, _CHECKSUM = ".lock", "sha256"
_UNFINISHED = re.compile(r"\.[a-z]+\.json\.[0-9a-f]{32}")


def empty_manifest(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of an empty index of this ``kind``."""
    return {"format_version": FORMAT_VERSION, "kind": kind, "settings": dict(settings), "segments": []}


def read_manifest(folder: Path, name: str, kind: str) -> dict[str, Any]:
    """The manifest ``name`` in ``folder``.

    Raises FolderNotFoundError, NotAFolderError, FolderError for a folder without a manifest or with one of another
    kind, and DamagedFileError for a manifest of another format version, with a wrong checksum, or whose entries are not
    as an index writes them.
    """
    expected = f"expected a folder that {kind} wrote"
    if not is_folder(folder, expected):
        raise FolderNotFoundError(f"{folder} is not there; {expected}")
    path = folder / name
    if not is_there(path, REPAIR):
        raise FolderError(f"{folder} has no {name}; {expected}")
    manifest = read_json(path, REPAIR)
    if manifest.get("format_version") != FORMAT_VERSION:
        raise DamagedFileError(
            f"{path} has format version {manifest.get('format_version')!r}, this edge-st reads {FORMAT_VERSION}; "
            "update with: pip install -U edge-st, or build the index again"
        )
    if manifest.pop(_CHECKSUM, None) != _checksum(manifest):
        raise DamagedFileError(f"{path} was changed since it was written: its checksum differs; {REPAIR}")
    fields = Fields(manifest, path, REPAIR)
    if (found := fields.text("kind")) != kind:
        raise FolderError(f"{folder} was not written by {kind}; open it with {found}.open")
    _check_entries(fields)
    return manifest


def recorded_kind(folder: Path, name: str) -> str:
    """The class that wrote the manifest ``name`` in ``folder``, as it says itself; nothing else of it is checked.

    Raises FolderNotFoundError, NotAFolderError, FolderError for a folder without this manifest, DamagedFileError.
    """
    if not is_folder(folder, _EXPECTED):
        raise FolderNotFoundError(f"{folder} is not there; {_EXPECTED}")
    path = folder / name
    if not is_there(path, REPAIR):
        raise FolderError(f"{folder} has no {name}; {_EXPECTED}")
    return Fields(read_json(path, REPAIR), path, REPAIR).text("kind")


def _check_entries(manifest: Fields) -> None:
    """Raise DamagedFileError unless every file that ``manifest`` lists has a name of its own, a size and a checksum."""
    manifest.object("settings")
    names: set[str] = set()
    for owner in (manifest.optional_object(CODEC), *manifest.objects("segments")):
        for entry in (owner, None if owner is None else owner.optional_object("deleted")):
            if entry is None:
                continue
            name = check_entry(entry)
            if name in names:
                raise entry.wrong("name", "a file that is listed once")
            names.add(name)


def read_steadily(folder: Path, name: str, kind: str, read: Callable[[dict[str, Any]], T]) -> T:
    """Read the manifest and return ``read(manifest)``; start again where a writer replaced the manifest meanwhile.

    Raises what `read_manifest` and ``read`` raise; MissingFileError only for a file that the newest manifest lists.
    """
    while True:
        manifest = read_manifest(folder, name, kind)
        try:
            return read(manifest)
        except MissingFileError:
            if read_manifest(folder, name, kind) == manifest:
                raise


def publish(folder: Path, name: str, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest called ``name`` by ``manifest``, atomically, and sync it to the disk."""
    part = folder / f".{name}.{uuid4().hex}"
    try:
        with synced(part) as file:
            file.write(json.dumps({**manifest, _CHECKSUM: _checksum(manifest)}, indent=1).encode() + b"\n")
        replace(part, folder / name)
    finally:
        part.unlink(missing_ok=True)


def replace(source: Path, target: Path) -> None:
    """Rename ``source`` over ``target``, and sync the folder to the disk where the system can do that."""
    source.replace(target)
    with suppress(OSError):  # the change is made: an error now would say that it is not
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def clean(folder: Path, manifests: Sequence[Mapping[str, Any]]) -> None:
    """Remove segments that none of ``manifests`` lists, and unfinished manifests."""
    kept = {entry["name"] for manifest in manifests for entry in listed(manifest)}
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name) or (SEGMENT_NAME.fullmatch(path.name) and path.name not in kept):
            with suppress(PermissionError):  # on Windows, while a reader still has the file mapped
                path.unlink(missing_ok=True)


def check_alone(folder: Path, name: str) -> None:
    """Raise FolderError where ``folder`` has the other manifest than ``name``.

    Two indexes in one folder would remove each other's segments as leftovers.
    """
    (other,) = {INDEX, POSTINGS} - {name}
    if is_there(folder / other, REPAIR):
        raise FolderError(f"{folder} has {other}: it holds an index of another kind; choose another folder")


def listed(manifest: Mapping[str, Any]) -> Iterator[Entry]:
    """The entry of every file that ``manifest`` lists: the codec, segments, and lists of deleted rows."""
    if manifest.get(CODEC):
        yield manifest[CODEC]
    for entry in manifest["segments"]:
        yield entry
        if entry.get("deleted"):
            yield entry["deleted"]


def lock(folder: Path) -> Any:
    """Take the folder's lock, which is held until ``release()`` is called or the process ends.

    Raises FolderError where another process, or another object in this process, holds it.
    """
    from filelock import FileLock, Timeout

    held = FileLock(folder / _LOCK, timeout=0, thread_local=False)
    with writing(folder):
        try:
            held.acquire()
        except Timeout:
            raise FolderError(
                f"{folder} is open for writing elsewhere; close it there, or open it here for reading: mode='r'"
            ) from None
    return held


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
