"""An index in a folder: one process writes to it while any number of processes read it."""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeAlias, TypeVar

import numpy as np

from ...arrays import Ids
from ...checks import check_choice
from ...errors import FolderError, OptionError
from ...files.regular import is_there
from ...files.writing import writing
from ..segment_file import REPAIR, remove_segments, verify_segment
from ..segment_folder import (
    INDEX,
    clean,
    empty_manifest,
    listed,
    lock,
    publish,
    read_manifest,
    read_steadily,
    replace,
)
from .changes import rows_by_segment, write_change
from .free import check_free
from .layout import Layout, V
from .manifest import merged_from, names, open_segment
from .segment import Rows, Segment
from .snapshot import Snapshot

Mode: TypeAlias = Literal["r", "a"]
MANIFEST, MIGRATION = INDEX, "migration.json"
S = TypeVar("S", bound=Snapshot[Any, Any])


class RowIndex(ABC, Generic[S, V]):
    """The index in ``folder`` whose manifest is called ``name``. Use `open` or `create` to make one.

    Its content is the attribute ``snapshot``. A change replaces the snapshot by a new one, so searches in other
    threads finish on the snapshot that they began with. A subclass says how vectors are stored.
    """

    #: the class that users open the folder with
    KIND: ClassVar[str]

    def __init__(self, folder: Path, name: str, manifest: dict[str, Any], held: Any) -> None:
        self.folder, self._name, self._held, self._process = folder, name, held, os.getpid()
        self._writes = threading.RLock()
        self._manifest = manifest
        self._opened: dict[tuple[str, str | None], Segment[V]] = {}
        self.snapshot = self._read(manifest)

    @abstractmethod
    def _read(self, manifest: Mapping[str, Any]) -> S:
        """The snapshot of ``manifest``; raises DamagedFileError or MissingFileError."""

    def _listed_with(self, rows: Rows[V]) -> Mapping[str, Any]:  # noqa: ARG002 - for subclasses
        """What a manifest with ``rows`` holds besides segments; its files are written here."""
        return {}

    @classmethod
    def create(cls, folder: Path, settings: Mapping[str, Any]) -> Self:
        """An empty index in ``folder``, open for writing; raises what `check_free` raises."""
        check_free(folder)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        held = lock(folder)
        try:
            check_free(folder)  # again, now that no other process can create one
            manifest = {**empty_manifest(cls.KIND, settings), "added": 0}
            with writing(folder):
                publish(folder, MANIFEST, manifest)
            return cls(folder, MANIFEST, manifest, held)
        except BaseException:
            held.release()
            raise

    @classmethod
    def open(cls, folder: Path, mode: Mode = "r") -> Self:
        """The index in ``folder``, for reading (mode "r") or for reading and writing ("a").

        A writer removes the files that an interrupted writer left behind. Raises FolderError for a folder without an
        index or with another writer, DamagedFileError or MissingFileError for a damaged index.
        """
        check_choice("mode", mode, ("r", "a"))
        if mode == "r":
            return read_steadily(folder, MANIFEST, cls.KIND, lambda manifest: cls(folder, MANIFEST, manifest, None))
        read_manifest(folder, MANIFEST, cls.KIND)
        held = lock(folder)
        try:
            found = cls(folder, MANIFEST, read_manifest(folder, MANIFEST, cls.KIND), held)
            with writing(folder):
                found._clean()
        except BaseException:
            held.release()
            raise
        return found

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that the index was created with."""
        return self.snapshot.settings

    @property
    def added(self) -> int:
        """How many rows were ever added."""
        return self._manifest["added"]

    @property
    def writable(self) -> bool:
        """Whether it is open for writing; never in a process that was forked from the one that opened it."""
        return self._held is not None and os.getpid() == self._process

    def close(self) -> None:
        """Release the lock, so that others can write. The snapshot can still be read."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def refresh(self, check: Callable[[S], None] | None = None) -> bool:
        """Take over what a writer has published since; return whether there was something new.

        ``check`` is called with the new snapshot. Where it raises an error, nothing changes here.
        """

        def read(manifest: dict[str, Any]) -> bool:
            if manifest == self._manifest:
                return False
            snapshot = self._read(manifest)
            if check is not None:
                check(snapshot)
            self.snapshot, self._manifest = snapshot, manifest
            return True

        with self._writes:
            return read_steadily(self.folder, self._name, self.KIND, read)

    def append(self, rows: Rows[V]) -> None:
        """Add ``rows`` and remove the rows that have the same ids, in one atomic change.

        Every eight segments of a similar size are merged into one, so that there are never many. Raises FolderError
        where the folder cannot be written, DamagedFileError where a file to merge is damaged; then nothing changes.
        """
        with self._writing():
            gone = rows_by_segment(self.snapshot, self.snapshot.find(list(rows.ids)))
            sizes = [segment.count - len(here) for segment, here in zip(self.snapshot.segments, gone, strict=True)]
            self._change(gone, merged_from([*sizes, len(rows)]), rows)

    def delete(self, ids: Sequence[bytes]) -> None:
        """Mark the rows with ``ids`` as deleted. `compact` removes them from the disk."""
        with self._writing():
            self._change(rows_by_segment(self.snapshot, self.snapshot.find(ids)), len(self.snapshot.segments))

    def compact(self) -> None:
        """Merge all rows that are not deleted into one segment; raises DamagedFileError where a file is damaged."""
        with self._writing():
            entries = self._manifest["segments"]
            if len(entries) > 1 or any(entry.get("deleted") for entry in entries):
                self._change(rows_by_segment(self.snapshot, np.empty(0, dtype=np.int64)), 0)
            else:
                self.verify()

    def statistics(self) -> dict[str, Any]:
        """The number of rows, deleted rows, segments and bytes on disk."""
        snapshot = self.snapshot
        return {
            "rows": len(snapshot),
            "deleted": sum(map(len, snapshot.segments)) - len(snapshot),
            "segments": len(snapshot.segments),
            "bytes": sum(entry["bytes"] for entry in listed(self._manifest)),
        }

    def verify(self) -> None:
        """Read every file that is in the folder's manifest now; raises DamagedFileError for a wrong checksum."""

        def verify(manifest: dict[str, Any]) -> None:
            for entry in listed(manifest):
                verify_segment(self.folder, entry)

        read_steadily(self.folder, self._name, self.KIND, verify)

    def start_migration(self, settings: Mapping[str, Any]) -> Self:
        """A second index with ``settings`` in the same folder, to be filled and passed to `finish_migration`.

        An unfinished migration with the same settings is continued, one with other settings is removed.
        """
        with self._writing():
            manifest = self._unfinished_migration()
            if manifest is None or manifest["settings"] != dict(settings):
                manifest = {**empty_manifest(self.KIND, settings), "added": 0}
                publish(self.folder, MIGRATION, manifest)
                self._clean()  # removes the segments of a migration to another model
        return type(self)(self.folder, MIGRATION, manifest, self._held)

    def finish_migration(self, other: Self) -> None:
        """Replace the content of this index by ``other``, which `start_migration` made, atomically.

        Raises FolderError where that cannot be written; then nothing changes.
        """
        with self._writing():
            manifest = {**other._manifest, "added": self.added}
            publish(self.folder, MIGRATION, manifest)
            replace(self.folder / MIGRATION, self.folder / MANIFEST)
            old, self._manifest, self.snapshot = self._manifest, manifest, self._read(manifest)
            remove_segments(self.folder, listed(old))

    def discard(self) -> None:
        """Remove the index from its folder and release the lock."""
        with self._writing():
            (self.folder / MANIFEST).unlink(missing_ok=True)
            remove_segments(self.folder, listed(self._manifest))
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unfinished_migration(self) -> dict[str, Any] | None:
        if not is_there(self.folder / MIGRATION, REPAIR):
            return None
        return read_manifest(self.folder, MIGRATION, self.KIND)

    def _clean(self) -> None:
        """Remove the files that neither of the folder's manifests lists."""
        migration = self._unfinished_migration()
        clean(self.folder, [read_manifest(self.folder, MANIFEST, self.KIND), *([migration] if migration else [])])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A block that changes the index. One thread at a time is in it.

        The files that a failed change has written are removed. Raises OptionError where the index is open for reading.
        """
        if not self.writable:
            raise OptionError(
                f"{self.folder} is open for reading; open it for writing: {self.KIND}.open(path, mode='a')"
            )
        with self._writes, writing(self.folder):
            self.refresh()  # an earlier change may have been interrupted after it was published
            try:
                yield
            except BaseException:
                with suppress(OSError, FolderError):  # the cause is raised below; the next writer cleans too
                    self._clean()
                raise

    def _change(self, deleted: Sequence[Ids], merged: int, new: Rows[V] | None = None) -> None:
        """Write and publish what `write_change` makes of the current segments."""
        entries = write_change(self.folder, self.snapshot, self._manifest["segments"], deleted, merged, new)
        more = {} if new is None else self._listed_with(new)
        self._publish({"segments": entries, "added": self.added + len(new or ()), **more})

    def _publish(self, changed: Mapping[str, Any]) -> None:
        """Publish the manifest with ``changed`` values, take it over here, and remove files that it no longer lists."""
        manifest = {**self._manifest, **changed}
        snapshot = self._read(manifest)
        publish(self.folder, self._name, manifest)
        old, new = names(self._manifest), names(manifest)
        self._manifest, self.snapshot = manifest, snapshot
        remove_segments(self.folder, [entry for name, entry in old.items() if name not in new])

    def _segments(self, layout: Layout[V], manifest: Mapping[str, Any]) -> list[Segment[V]]:
        """The segments of ``manifest``; those that are open already are not opened again."""
        opened = {}
        for entry in manifest["segments"]:
            key = entry["name"], (entry.get("deleted") or {}).get("name")
            opened[key] = self._opened.get(key) or open_segment(self.folder, layout, entry)
        self._opened = opened
        return list(opened.values())
