"""Segments of postings in memory or in a folder, which grows by whole segments or not at all.

A folder has one sub-folder for each segment and a small manifest, ``postings.json``, that lists them. Segments are
written first and never changed; renaming a new manifest over the old one makes them visible. What a killed process
leaves behind is in no manifest, and is removed when all segments are merged. Small segments are merged as they come, so
that a search meets few of them.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from .errors import DamagedFileError, FolderError, FolderNotFoundError, MissingFileError, NotAFolderError
from .files import read_json
from .postings import Postings, join
from .segment_files import (
    PREFIX,
    REPAIR,
    SEGMENT_NAME,
    read_segment,
    remove_segments,
    synced,
    verify_segment,
    write_segment,
)

MANIFEST, FORMAT_VERSION = "postings.json", 1
_SMALL = 50_000


class Segments:
    """The segments of an index of one ``kind``, with the ``settings`` that it was made with.

    ``path`` is the folder that holds them, or None for segments in memory.
    """

    def __init__(self, kind: str, settings: Mapping[str, Any]) -> None:
        self.path: Path | None = None
        self.parts: tuple[Postings, ...] = ()
        header = {"format_version": FORMAT_VERSION, "kind": kind, "settings": dict(settings)}
        self._manifest: dict[str, Any] = {**header, "segments": []}

    @classmethod
    def open(cls, path: str | Path, kind: str) -> "Segments":
        """The segments in folder ``path``, memory-mapped.

        Raises FolderNotFoundError, NotAFolderError, FolderError for a folder of another kind, MissingFileError and
        DamagedFileError for one that is not as the manifest says.
        """
        path = Path(path).absolute()
        manifest = _read_manifest(path, kind)
        segments = cls(kind, manifest["settings"])
        try:
            segments.parts = tuple(read_segment(path, entry) for entry in manifest["segments"])
        except MissingFileError:
            if _read_manifest(path, kind) == manifest:
                raise
            return cls.open(path, kind)  # another process merged them meanwhile
        segments.path, segments._manifest = path, manifest
        return segments

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the index was made with."""
        return self._manifest["settings"]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def starts(self) -> Iterator[tuple[slice, Postings]]:
        """Each segment and where its documents are among all."""
        start = 0
        for part in self.parts:
            yield slice(start, start + len(part)), part
            start += len(part)

    def append(self, part: Postings) -> None:
        """Add a segment, in the folder if there is one, and merge it with the last ones that are no larger.

        Raises FolderError and changes nothing where it cannot be written.
        """
        keep, total = len(self.parts), len(part)
        while keep and len(self.parts[keep - 1]) <= total <= _SMALL:
            keep -= 1
            total += len(self.parts[keep])
        self._replace(keep, join((*self.parts[keep:], part)))

    def merge(self) -> None:
        """Make one segment of all, and remove what is left of others; no other process may be adding meanwhile.

        Raises FolderError and changes nothing where it cannot be written.
        """
        if len(self.parts) > 1:
            self._replace(0, join(self.parts))
        if self.path is not None:
            _clean(self.path, self._manifest)

    def save(self, path: str | Path) -> None:
        """Write all segments to folder ``path``, in place of an index of this kind; raises FolderError."""
        path = Path(path).absolute()
        _check_same_kind(path, self._manifest["kind"])
        if self.path is not None and path.resolve() == self.path.resolve():
            return
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            manifest = {**self._manifest, "segments": [write_segment(path, part) for part in self.parts]}
            _publish(path, manifest, None)
            _clean(path, manifest)

    def verify(self) -> None:
        """Read every file; raises DamagedFileError for one that has not the checksum it was written with."""
        for entry in self._manifest["segments"]:
            verify_segment(self.path or Path(), entry)

    def _replace(self, keep: int, part: Postings) -> None:
        """Have ``part`` in place of all segments but the first ``keep``."""
        if self.path is None:
            self.parts = (*self.parts[:keep], part)
            return
        entries = self._manifest["segments"]
        with _writing(self.path):
            entry = write_segment(self.path, part)
            manifest = {**self._manifest, "segments": [*entries[:keep], entry]}
            try:
                part = read_segment(self.path, entry)
                _publish(self.path, manifest, self._manifest)
            except Exception:
                remove_segments(self.path, [entry])
                raise
        self.parts, self._manifest = (*self.parts[:keep], part), manifest
        remove_segments(self.path, entries[keep:])


class Segmented:
    """An index made of segments: its number of documents, and its way to and from a folder."""

    _segments: Segments

    def __len__(self) -> int:
        return len(self._segments)

    def save(self, path: str | Path) -> None:
        """Write a copy to folder ``path``, in place of an index of this kind that it may hold; raises FolderError."""
        self._segments.save(path)

    def merge(self) -> None:
        """Make one segment of all, the fastest to search, while no other process adds to the folder.

        Raises FolderError where it cannot be written.
        """
        self._segments.merge()

    def verify(self) -> None:
        """Read every file of the folder; raises DamagedFileError for one that has not its checksum."""
        self._segments.verify()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, FolderError):
            raise
        raise FolderError(
            f"cannot write to {path} ({error}); make it writable, or save a copy to another folder with: save(path)"
        ) from error


def _publish(folder: Path, manifest: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """Put ``manifest`` in place of ``old``; raises FolderError where another process has replaced that one."""
    if old is not None and read_json(folder / MANIFEST) != old:
        raise FolderError(f"{folder} was changed by another process since it was opened; open it again")
    part = folder / f".{MANIFEST}.{uuid4().hex}"
    try:
        with synced(part) as file:
            file.write(json.dumps(manifest, indent=1).encode() + b"\n")
        part.replace(folder / MANIFEST)
    finally:
        part.unlink(missing_ok=True)


def _check_same_kind(folder: Path, kind: str) -> None:
    """Raise FolderError where ``folder`` holds an index of another kind; a damaged one may be replaced."""
    try:
        other = read_json(folder / MANIFEST).get("kind")
    except (MissingFileError, DamagedFileError):
        return
    if other != kind:
        raise FolderError(f"{folder} holds an index of {other}; choose another folder for this {kind}")


def _clean(folder: Path, manifest: Mapping[str, Any]) -> None:
    kept = {entry["name"] for entry in manifest["segments"]}
    for path in folder.glob(f"{PREFIX}*"):
        if SEGMENT_NAME.fullmatch(path.name) and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    if not folder.is_dir():
        wrong = NotAFolderError if folder.exists() else FolderNotFoundError
        raise wrong(
            f"{folder} is {'a file' if folder.exists() else 'not there'}; expected a folder that {kind}.save wrote"
        )
    path = folder / MANIFEST
    if not path.is_file():
        raise FolderError(f"{folder} has no {MANIFEST}; expected a folder that {kind}.save wrote")
    manifest = read_json(path)
    if manifest.get("format_version") != FORMAT_VERSION:
        raise DamagedFileError(
            f"{path} has format version {manifest.get('format_version')!r}, this edge-st reads {FORMAT_VERSION}; "
            "update with: pip install -U edge-st, or build the index again"
        )
    if manifest.get("kind") != kind:
        raise FolderError(f"{folder} was not written by {kind}; open it with {manifest.get('kind')}.open")
    if not isinstance(manifest.get("settings"), dict) or not isinstance(manifest.get("segments"), list):
        raise DamagedFileError(f"{path} lacks settings or segments; {REPAIR}")
    return manifest
