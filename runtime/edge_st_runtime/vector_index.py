"""A vector index in a folder: segments that are appended, merged and replaced, and read by any number of processes."""

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from .arrays import Ids
from .checks import check_choice
from .errors import DamagedFileError, FolderError, OptionError
from .index_segments import Layout, Part, Rows, Segment, written
from .segment_files import Column, Entry, checked_column, read_segment, remove_segments, verify_segment, write_segment
from .segment_folder import clean, empty_manifest, listed, lock, publish, read_manifest, read_steadily, replace, writing
from .snapshot import Snapshot

Mode: TypeAlias = Literal["r", "a"]
KIND, MANIFEST, MIGRATION = "Index", "index.json", "migration.json"
_MERGED = 8
_ROWS = "rows"
_LAYOUT = ("dim", "precision", "rescore", "texts")


class VectorIndex:
    """The index whose manifest in ``folder`` is called ``name``; `open` and `create` make one.

    What it holds is `snapshot`, which is replaced as a whole: searches in other threads go on with theirs.
    """

    def __init__(self, folder: Path, name: str, manifest: dict[str, Any], held: Any) -> None:
        self.folder, self._name, self._held = folder, name, held
        self._writes = threading.RLock()
        self._manifest = manifest
        self._opened: dict[tuple[str, str | None], Segment] = {}
        self.snapshot = self._read(manifest)

    @classmethod
    def create(cls, folder: Path, settings: Mapping[str, Any]) -> "VectorIndex":
        """An empty index in a new or empty ``folder``, open to write; raises FolderError where there is one."""
        if (folder / MANIFEST).exists():
            raise FolderError(
                f"{folder} holds an index already; add to it with Index.open(path, mode='a'), or remove it"
            )
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        held = lock(folder)
        manifest = {**empty_manifest(KIND, settings), "added": 0}
        with writing(folder):
            publish(folder, MANIFEST, manifest)
        return cls(folder, MANIFEST, manifest, held)

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
            migration = found._unfinished_migration()
            with writing(folder):
                clean(folder, [found._manifest, *([migration] if migration else [])])
        except BaseException:
            held.release()
            raise
        return found

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the index was made with."""
        return self._manifest["settings"]

    @property
    def added(self) -> int:
        """How many rows were ever added."""
        return self._manifest["added"]

    @property
    def writable(self) -> bool:
        """Whether it is open to write."""
        return self._held is not None

    def close(self) -> None:
        """Let others write; what was read stays readable."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def refresh(self) -> bool:
        """Read again what a writer may have published; whether it is something new."""

        def read(manifest: dict[str, Any]) -> bool:
            if manifest == self._manifest:
                return False
            self.snapshot, self._manifest = self._read(manifest), manifest
            return True

        with self._writes:
            return read_steadily(self.folder, self._name, KIND, read)

    def append(self, rows: Rows) -> None:
        """Add ``rows``, in place of those with the same ids, at one instant; raises FolderError, changing nothing."""
        with self._writing():
            entries = self._without(self.snapshot.find(list(rows.ids)))
            self._publish([*entries, *self._written([(rows, np.arange(len(rows)))])], self.added + len(rows))
            self._merge_tail()

    def delete(self, ids: Sequence[bytes]) -> None:
        """Mark the rows with ``ids`` as deleted; `compact` removes them from the disk."""
        with self._writing():
            self._publish(self._without(self.snapshot.find(ids)), self.added)

    def compact(self) -> None:
        """Make one segment of all rows that are not deleted; raises DamagedFileError where a file was changed."""
        with self._writing():
            entries = self._manifest["segments"]
            if len(entries) > 1 or any(entry["deleted"] for entry in entries):
                self._merge(0)

    def statistics(self) -> dict[str, Any]:
        """How many rows, deleted ones, segments and bytes there are."""
        entries, snapshot = self._manifest["segments"], self.snapshot
        return {
            "rows": len(snapshot),
            "deleted": sum(entry["rows"] for entry in entries) - len(snapshot),
            "segments": len(entries),
            "bytes": sum(entry["bytes"] for entry in listed(self._manifest)),
            "bytes_per_vector": snapshot.layout.bytes_per_vector,
        }

    def verify(self) -> None:
        """Read every file; raises DamagedFileError for one that has not the checksum it was written with."""
        for entry in listed(self._manifest):
            verify_segment(self.folder, entry)

    def migration(self, settings: Mapping[str, Any]) -> "VectorIndex":
        """An index of ``settings`` beside this one, in the same folder: the unfinished one, if it is of these."""
        with self._writing():
            manifest = self._unfinished_migration()
            if manifest is None or manifest["settings"] != dict(settings):
                manifest = {**empty_manifest(KIND, settings), "added": 0}
                publish(self.folder, MIGRATION, manifest)
        return VectorIndex(self.folder, MIGRATION, manifest, self._held)

    def become(self, other: "VectorIndex") -> None:
        """Put ``other``, made by `migration`, in this one's place; raises FolderError, changing nothing."""
        with self._writing():
            manifest = {**other._manifest, "added": self.added}
            publish(self.folder, MIGRATION, manifest)
            replace(self.folder / MIGRATION, self.folder / MANIFEST)
            old, self._manifest, self.snapshot = self._manifest, manifest, self._read(manifest)
            remove_segments(self.folder, listed(old))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unfinished_migration(self) -> dict[str, Any] | None:
        if not (self.folder / MIGRATION).exists():
            return None
        return read_manifest(self.folder, MIGRATION, KIND)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One change at a time, on what is in the folder; raises OptionError where it is open to read."""
        if self._held is None:
            raise OptionError(f"{self.folder} is open to read; open it to write with Index.open(path, mode='a')")
        with self._writes, writing(self.folder):
            self.refresh()  # an interrupt may have come between a change on the disk and here
            yield

    def _without(self, rows: Ids) -> list[dict[str, Any]]:
        """The manifest's entries with ``rows`` (n,) deleted; segments without any others are left out."""
        entries = []
        for entry, (segment, start) in zip(self._manifest["segments"], self.snapshot.numbered, strict=True):
            here = rows[(rows >= start) & (rows < start + len(segment))] - start
            if len(here):
                dead = np.union1d(np.setdiff1d(np.arange(len(segment)), segment.live), here).astype(np.int32)
                if len(dead) == len(segment):
                    continue
                deleted = write_segment(self.folder, {_ROWS: Column.of(dead)})
                entry = {**entry, "deleted": deleted}
            entries.append(entry)
        return entries

    def _publish(self, entries: Sequence[Entry], added: int) -> None:
        """Have ``entries`` in the folder and here; where that fails, files that only they name are removed."""
        manifest = {**self._manifest, "segments": list(entries), "added": added}
        old, new = _files(self._manifest), _files(manifest)
        try:
            snapshot = self._read(manifest)
            publish(self.folder, self._name, manifest)
        except Exception:
            remove_segments(self.folder, [entry for name, entry in new.items() if name not in old])
            raise
        self._manifest, self.snapshot = manifest, snapshot
        remove_segments(self.folder, [entry for name, entry in old.items() if name not in new])

    def _merge_tail(self) -> None:
        """Merge the last segments where eight are of a size, so that there are never many."""
        while True:
            tiers = [int(math.log(entry["rows"], _MERGED)) for entry in self._manifest["segments"]]
            start = len(tiers)
            while start and tiers[start - 1] <= tiers[-1]:
                start -= 1
            if len(tiers) - start < _MERGED:
                return
            self._merge(start)

    def _merge(self, start: int) -> None:
        """Have one segment in place of those from number ``start``, without the deleted rows."""
        entries, segments = self._manifest["segments"], self.snapshot.segments[start:]
        for entry in entries[start:]:
            verify_segment(self.folder, entry)
        parts = [(segment, segment.live) for segment in segments]
        self._publish([*entries[:start], *self._written(parts)], self.added)

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
            opened[key] = self._opened.get(key) or _open(self.folder, layout, entry)
        self._opened = opened
        return Snapshot(layout, list(opened.values()))


def _open(folder: Path, layout: Layout, entry: Entry) -> Segment:
    allowed = None
    if entry["deleted"]:
        dead = checked_column(
            read_segment(folder, entry["deleted"]), _ROWS, np.int32, folder / entry["deleted"]["name"]
        )
        allowed = np.ones(entry["rows"], dtype=bool)
        allowed[dead] = False
    try:
        return Segment(layout, read_segment(folder, entry), entry["rows"], allowed)
    except DamagedFileError as error:
        raise DamagedFileError(f"{folder / entry['name']}: {error}") from error


def _files(manifest: Mapping[str, Any]) -> dict[str, Entry]:
    return {entry["name"]: entry for entry in listed(manifest)}
