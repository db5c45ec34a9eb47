"""A vector index in a folder: segments that are appended, merged and replaced, and read by any number of processes."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from ...arrays import Ids
from ...checks import check_choice
from ...errors import FolderError, OptionError
from ..segment_file import Column, Entry, remove_segments, verify_segment, write_segment
from ..segment_folder import (
    INDEX,
    check_alone,
    clean,
    empty_manifest,
    listed,
    lock,
    publish,
    read_manifest,
    read_steadily,
    replace,
    writing,
)
from .manifest import DELETED_ROWS, merged_from, names, open_segment
from .segment import Layout, Part, Rows, Segment, written
from .snapshot import Snapshot

Mode: TypeAlias = Literal["r", "a"]
KIND, MANIFEST, MIGRATION = "Index", INDEX, "migration.json"
_LAYOUT = ("dim", "precision", "rescore", "texts")


class VectorIndex:
    """The index whose manifest in ``folder`` is called ``name``; `open` and `create` make one.

    What it holds is `snapshot`, which is replaced as a whole: searches in other threads go on with theirs.
    """

    def __init__(self, folder: Path, name: str, manifest: dict[str, Any], held: Any) -> None:
        self.folder, self._name, self._held, self._process = folder, name, held, os.getpid()
        self._writes = threading.RLock()
        self._manifest = manifest
        self._opened: dict[tuple[str, str | None], Segment] = {}
        self.snapshot = self._read(manifest)

    @classmethod
    def create(cls, folder: Path, settings: Mapping[str, Any]) -> "VectorIndex":
        """An empty index in a new or empty ``folder``, open to write; raises FolderError where there is one."""
        _check_free(folder)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        held = lock(folder)
        try:
            _check_free(folder)  # now that no one else can make one
            manifest = {**empty_manifest(KIND, settings), "added": 0}
            with writing(folder):
                publish(folder, MANIFEST, manifest)
            return cls(folder, MANIFEST, manifest, held)
        except BaseException:
            held.release()
            raise

    @classmethod
    def open(cls, folder: Path, mode: Mode = "r") -> "VectorIndex":
        """The index in ``folder``, to read ("r") or to append as well ("a").

        Raises FolderError for a folder that holds none, DamagedFileError or MissingFileError for a damaged one, and
        FolderError where another writer has it. What an interrupted writer left behind is removed.
        """
        check_choice("mode", mode, ("r", "a"))
        if mode == "r":
            return read_steadily(folder, MANIFEST, KIND, lambda manifest: cls(folder, MANIFEST, manifest, None))
        read_manifest(folder, MANIFEST, KIND)
        held = lock(folder)
        try:
            found = cls(folder, MANIFEST, read_manifest(folder, MANIFEST, KIND), held)
            with writing(folder):
                found._clean()
        except BaseException:
            held.release()
            raise
        return found

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the index was made with."""
        return self.snapshot.settings

    @property
    def added(self) -> int:
        """How many rows were ever added."""
        return self._manifest["added"]

    @property
    def writable(self) -> bool:
        """Whether it is open to write: not in a process that was forked from the one that opened it."""
        return self._held is not None and os.getpid() == self._process

    def close(self) -> None:
        """Let others write; what was read stays readable."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def refresh(self, check: Callable[[Snapshot], None] | None = None) -> bool:
        """Read again what a writer may have published; whether it is something new.

        Where ``check`` raises an error for that, things stay as they were.
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
            return read_steadily(self.folder, self._name, KIND, read)

    def append(self, rows: Rows) -> None:
        """Add ``rows``, in place of those with the same ids, at one instant.

        They are merged with the last segments where eight are of a size, so that there are never many. Raises
        FolderError, changing nothing, and so DamagedFileError where a file to merge was changed.
        """
        with self._writing():
            gone = self._by_segment(self.snapshot.find(list(rows.ids)))
            sizes = [segment.count - len(here) for segment, here in zip(self.snapshot.segments, gone, strict=True)]
            self._replace(gone, merged_from([*sizes, len(rows)]), rows)

    def delete(self, ids: Sequence[bytes]) -> None:
        """Mark the rows with ``ids`` as deleted; `compact` removes them from the disk."""
        with self._writing():
            self._replace(self._by_segment(self.snapshot.find(ids)), len(self.snapshot.segments))

    def compact(self) -> None:
        """Make one segment of all rows that are not deleted; raises DamagedFileError where a file was changed."""
        with self._writing():
            entries = self._manifest["segments"]
            if len(entries) > 1 or any(entry["deleted"] for entry in entries):
                self._replace(self._by_segment(np.empty(0, dtype=np.int64)), 0)
            else:
                self.verify()

    def statistics(self) -> dict[str, Any]:
        """How many rows, deleted ones, segments and bytes there are."""
        snapshot = self.snapshot
        return {
            "rows": len(snapshot),
            "deleted": sum(map(len, snapshot.segments)) - len(snapshot),
            "segments": len(snapshot.segments),
            "bytes": sum(entry["bytes"] for entry in listed(self._manifest)),
            "bytes_per_vector": snapshot.layout.bytes_per_vector,
        }

    def verify(self) -> None:
        """Read every file of the index as it is in the folder now.

        Raises DamagedFileError for one that has not the checksum it was written with.
        """

        def verify(manifest: dict[str, Any]) -> None:
            for entry in listed(manifest):
                verify_segment(self.folder, entry)

        read_steadily(self.folder, self._name, KIND, verify)

    def start_migration(self, settings: Mapping[str, Any]) -> "VectorIndex":
        """An index of ``settings`` beside this one, in the same folder: the unfinished one, if it is of these."""
        with self._writing():
            manifest = self._unfinished_migration()
            if manifest is None or manifest["settings"] != dict(settings):
                manifest = {**empty_manifest(KIND, settings), "added": 0}
                publish(self.folder, MIGRATION, manifest)
                self._clean()  # of one to another model
        return VectorIndex(self.folder, MIGRATION, manifest, self._held)

    def finish_migration(self, other: "VectorIndex") -> None:
        """Put ``other``, made by `start_migration`, in this one's place; raises FolderError, changing nothing."""
        with self._writing():
            manifest = {**other._manifest, "added": self.added}
            publish(self.folder, MIGRATION, manifest)
            replace(self.folder / MIGRATION, self.folder / MANIFEST)
            old, self._manifest, self.snapshot = self._manifest, manifest, self._read(manifest)
            remove_segments(self.folder, listed(old))

    def discard(self) -> None:
        """Remove the index from its folder, and let others write."""
        with self._writing():
            (self.folder / MANIFEST).unlink(missing_ok=True)
            remove_segments(self.folder, listed(self._manifest))
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unfinished_migration(self) -> dict[str, Any] | None:
        if not (self.folder / MIGRATION).exists():
            return None
        return read_manifest(self.folder, MIGRATION, KIND)

    def _clean(self) -> None:
        """Remove what is in neither of the folder's manifests."""
        migration = self._unfinished_migration()
        clean(self.folder, [read_manifest(self.folder, MANIFEST, KIND), *([migration] if migration else [])])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One change at a time, on what is in the folder; raises OptionError where it is open to read.

        What a change that fails has written is removed.
        """
        if not self.writable:
            raise OptionError(f"{self.folder} is open to read; open it to write with Index.open(path, mode='a')")
        with self._writes, writing(self.folder):
            self.refresh()  # an interrupt may have come between a change on the disk and here
            try:
                yield
            except BaseException:
                with suppress(OSError, FolderError):  # the cause is raised, and the next writer cleans as well
                    self._clean()
                raise

    def _by_segment(self, rows: Ids) -> list[Ids]:
        """Of ``rows`` (n,), those in each segment, counted from its first."""
        bounds = [(start, start + len(segment)) for segment, start in self.snapshot.numbered]
        return [rows[(rows >= start) & (rows < end)] - start for start, end in bounds]

    def _replace(self, gone: Sequence[Ids], start: int, new: Rows | None = None) -> None:
        """Delete the rows ``gone`` of each segment; have those from number ``start`` and the ``new`` rows in one."""
        entries = self._manifest["segments"]
        for entry in entries[start:]:
            verify_segment(self.folder, entry)
        parts: list[Part] = [
            (segment, np.setdiff1d(segment.live, here))
            for segment, here in zip(self.snapshot.segments[start:], gone[start:], strict=True)
        ]
        if new is not None:
            parts.append((new, np.arange(len(new))))
        kept = zip(entries[:start], self.snapshot.segments, gone, strict=False)
        marked = [entry for each in kept for entry in self._without(*each)]
        self._publish([*marked, *self._written(parts)], self.added + len(new or ()))

    def _without(self, entry: Entry, segment: Segment, gone: Ids) -> list[Entry]:
        """``entry`` with the rows ``gone`` deleted too; none where no other is left."""
        if not len(gone):
            return [entry]
        live = np.setdiff1d(segment.live, gone)
        if not len(live):
            return []
        dead = np.setdiff1d(np.arange(len(segment)), live).astype(np.int32)
        return [{**entry, "deleted": write_segment(self.folder, {DELETED_ROWS: Column.of(dead)})}]

    def _publish(self, entries: Sequence[Entry], added: int) -> None:
        """Have ``entries`` in the folder and here."""
        manifest = {**self._manifest, "segments": list(entries), "added": added}
        snapshot = self._read(manifest)
        publish(self.folder, self._name, manifest)
        old, new = names(self._manifest), names(manifest)
        self._manifest, self.snapshot = manifest, snapshot
        remove_segments(self.folder, [entry for name, entry in old.items() if name not in new])

    def _written(self, parts: Sequence[Part]) -> list[dict[str, Any]]:
        """The entry of a new segment with these rows; none where there are none."""
        rows = sum(len(rows) for _, rows in parts)
        if not rows:
            return []
        return [{**write_segment(self.folder, written(self.snapshot.layout, parts)), "rows": rows, "deleted": None}]

    def _read(self, manifest: Mapping[str, Any]) -> Snapshot:
        """What ``manifest`` lists, without opening again what is open."""
        layout = Layout(**{name: manifest["settings"][name] for name in _LAYOUT})
        opened = {}
        for entry in manifest["segments"]:
            key = entry["name"], (entry["deleted"] or {}).get("name")
            opened[key] = self._opened.get(key) or open_segment(self.folder, layout, entry)
        self._opened = opened
        return Snapshot(layout, list(opened.values()), manifest["settings"])


def _check_free(folder: Path) -> None:
    """Raise FolderError where ``folder`` holds an index."""
    check_alone(folder, MANIFEST)
    if (folder / MANIFEST).exists():
        raise FolderError(f"{folder} holds an index already; add to it with Index.open(path, mode='a'), or remove it")
