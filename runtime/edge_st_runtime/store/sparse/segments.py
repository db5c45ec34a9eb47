"""Segments of postings, in memory or in a folder that changes atomically (see `segment_folder`).

Small segments are merged when they are added, so that a search goes through few of them.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DamagedFileError, FolderError, MissingFileError
from ...files.fields import Fields
from ...files.reading import read_json
from ...files.writing import writing
from ..segment_file import (
    REPAIR,
    Column,
    Entry,
    checked_column,
    read_segment,
    remove_segments,
    verify_segment,
    write_segment,
)
from ..segment_folder import (
    POSTINGS,
    check_alone,
    clean,
    empty_manifest,
    lock,
    publish,
    read_manifest,
    read_steadily,
)
from .postings import Postings, join

MANIFEST = POSTINGS
_SMALL = 50_000
_DTYPES = {"indptr": np.int64, "documents": np.int32, "weights": np.float32, "lengths": np.float32}
_WORDS = "words"


class Segments:
    """The segments of an index of one ``kind``, with the ``settings`` that it was created with.

    ``path`` is the folder that holds them, None for segments in memory.
    """

    def __init__(self, kind: str, settings: Mapping[str, Any]) -> None:
        self.path: Path | None = None
        self.parts: tuple[Postings, ...] = ()
        self._manifest = empty_manifest(kind, settings)

    @classmethod
    def open(cls, path: str | Path, kind: str) -> "Segments":
        """The segments in folder ``path``, memory-mapped.

        Raises FolderNotFoundError, NotAFolderError, FolderError for a folder with an index of another kind,
        MissingFileError and DamagedFileError where the files are not as the manifest says.
        """
        path = Path(path).absolute()

        def read(manifest: dict[str, Any]) -> "Segments":
            segments = cls(kind, manifest["settings"])
            segments.parts = tuple(_read(path, entry) for entry in manifest["segments"])
            segments.path, segments._manifest = path, manifest
            return segments

        return read_steadily(path, MANIFEST, kind, read)

    @property
    def fields(self) -> Fields:
        """The settings that the index was created with, to be read with their types."""
        return Fields(self._manifest, (self.path or Path()) / MANIFEST, REPAIR).object("settings")

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def starts(self) -> Iterator[tuple[slice, Postings]]:
        """The positions of each segment's documents among all, and the segment."""
        start = 0
        for part in self.parts:
            yield slice(start, start + len(part)), part
            start += len(part)

    def append(self, part: Postings) -> None:
        """Add a segment, and merge it with the small ones before it that are no larger.

        Raises FolderError where the folder cannot be written; then nothing changes.
        """
        keep, total = len(self.parts), len(part)
        while keep and len(self.parts[keep - 1]) <= total <= _SMALL:
            keep -= 1
            total += len(self.parts[keep])
        self._replace(keep, join((*self.parts[keep:], part)))

    def merge(self) -> None:
        """Merge all segments into one, and remove leftover files.

        Raises FolderError where the folder cannot be written; then nothing changes.
        """
        if len(self.parts) > 1:
            self._replace(0, join(self.parts))
        if self.path is not None:
            with _locked(self.path):
                clean(self.path, [self._manifest])

    def save(self, path: str | Path) -> None:
        """Write all segments to folder ``path``; an index of this kind in it is replaced. Raises FolderError."""
        path = Path(path).absolute()
        _check_same_kind(path, self._manifest["kind"])
        if self.path is not None and path.resolve() == self.path.resolve():
            return
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
            with _locked(path):
                manifest = {**self._manifest, "segments": [_write(path, part) for part in self.parts]}
                publish(path, MANIFEST, manifest)
                clean(path, [manifest])

    def verify(self) -> None:
        """Read every file of the folder; raises MissingFileError, or DamagedFileError for a wrong checksum."""
        for entry in self._manifest["segments"]:
            verify_segment(self.path or Path(), entry)

    def _replace(self, keep: int, part: Postings) -> None:
        """Replace all segments but the first ``keep`` by ``part``."""
        if self.path is None:
            self.parts = (*self.parts[:keep], part)
            return
        entries = self._manifest["segments"]
        with writing(self.path), _locked(self.path):
            if read_manifest(self.path, MANIFEST, self._manifest["kind"]) != self._manifest:
                raise FolderError(f"{self.path} was changed by another process since it was opened; open it again")
            entry = _write(self.path, part)
            manifest = {**self._manifest, "segments": [*entries[:keep], entry]}
            try:
                part = _read(self.path, entry)
                publish(self.path, MANIFEST, manifest)
            except Exception:
                remove_segments(self.path, [entry])
                raise
        self.parts, self._manifest = (*self.parts[:keep], part), manifest
        remove_segments(self.path, entries[keep:])


class Segmented:
    """What BM25 and InvertedIndex share: the number of documents, and saving, merging and verifying."""

    _segments: Segments

    def __len__(self) -> int:
        return len(self._segments)

    def save(self, path: str | Path) -> None:
        """Write a copy to folder ``path``; an index of the same class in it is replaced. Raises FolderError."""
        self._segments.save(path)

    def merge(self) -> None:
        """Merge all segments into one, which is the fastest to search.

        Raises FolderError where the folder cannot be written.
        """
        self._segments.merge()

    def verify(self) -> None:
        """Read every file of the folder; raises MissingFileError, or DamagedFileError for a wrong checksum."""
        self._segments.verify()


def _write(folder: Path, part: Postings) -> dict[str, Any]:
    arrays = {name: getattr(part, name) for name in _DTYPES}
    words = np.frombuffer(json.dumps(part.words).encode(), dtype=np.uint8)
    return write_segment(folder, {name: Column.of(array) for name, array in {**arrays, _WORDS: words}.items()})


def _read(folder: Path, entry: Entry) -> Postings:
    columns = read_segment(folder, entry)
    where = folder / entry["name"]
    arrays = {name: checked_column(columns, name, dtype, where) for name, dtype in _DTYPES.items()}
    words = checked_column(columns, _WORDS, np.uint8, where)
    try:
        part = Postings(**arrays, words=tuple(json.loads(words.tobytes())))
    except (ValueError, TypeError) as error:
        raise DamagedFileError(f"the words in {where} cannot be read ({error}); {REPAIR}") from error
    ends = part.indptr
    rising = len(ends) > 0 and ends[0] == 0 and np.all(ends[:-1] <= ends[1:])
    if not (rising and ends[-1] == len(part.documents) == len(part.weights)):
        raise DamagedFileError(f"{where} holds arrays of lengths that do not fit each other; {REPAIR}")
    return part


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    held = lock(folder)
    try:
        yield
    finally:
        held.release()


def _check_same_kind(folder: Path, kind: str) -> None:
    """Raise FolderError where ``folder`` holds an index of another kind; a damaged one may be replaced."""
    check_alone(folder, MANIFEST)
    try:
        other = read_json(folder / MANIFEST).get("kind")
    except (MissingFileError, DamagedFileError):
        return
    if other != kind:
        raise FolderError(f"{folder} holds an index of {other}; choose another folder for this index of {kind}")
