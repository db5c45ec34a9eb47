"""The vector index after accidents: full disks, killed and second writers, damaged files."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import (
    DamagedFileError,
    EdgeSTError,
    FolderError,
    FolderNotFoundError,
    MissingFileError,
    NotAFolderError,
    OptionError,
)
from edge_st_runtime.store import segment_file, segment_folder
from edge_st_runtime.store.dense.index import MANIFEST, MIGRATION, VectorIndex
from edge_st_runtime.store.dense.snapshot import SearchOptions, encoded_id
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from tests.support.damage import flip, replace_columns, rewrite
from tests.support.small_vectors import DIM, DOT, Small, check, rows_of, settings, vector

Change = Callable[[Small], object]


@pytest.fixture
def small(tmp_path: Path, quick_disk: None) -> Iterator[Small]:
    """Several segments, some rows deleted."""
    found = Small.create(tmp_path / "index", "int8", "float32")
    for count in (30, *[1] * 7):
        found.append(count)
    found.delete(3, 4)
    yield found
    found.index.close()


def names(small: Small) -> set[str]:
    return {path.name for path in small.index.folder.iterdir()}


def migrated(small: Small) -> VectorIndex:
    target = small.index.start_migration(settings("float16"))
    known = [(found, str(seed), {"odd": seed % 2}) for found, seed in small.held.items()]
    target.append(rows_of(known, target.snapshot.layout))
    return target


def append(small: Small, ids: list[Any]) -> None:
    known = [(found, str(place), {"odd": place % 2}) for place, found in enumerate(ids)]
    small.index.append(rows_of(known, small.index.snapshot.layout))


CHANGES: dict[str, Change] = {
    "append": lambda small: append(small, ["new", "other"] * 4),
    "replace": lambda small: append(small, [5, 32, "new"]),
    "merge": lambda small: append(small, ["new", 0]),
    "delete": lambda small: small.index.delete([encoded_id(found) for found in (6, 32, 33)]),
    "compact": lambda small: small.index.compact(),
    "migrate": lambda small: small.index.finish_migration(migrated(small)),
}
#: what fails, where it is found
STEPS = {
    "sync": (os, "fsync"),
    "rename": (segment_folder.Path, "replace"),
    "write": (segment_file, "_bytes"),
}


def full_at(call: int, done: Callable[..., Any]) -> Callable[..., Any]:
    """``done``, with a full disk at its ``call``-th call."""
    calls = iter(range(1, 1000))

    def full(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            raise OSError(28, "No space left on device")
        return done(*arguments, **options)

    return full


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_full_disk_changes_nothing(small: Small, change: str, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever write it is that fails."""
    (owner, name), before, call = STEPS[step], names(small), 0
    for call in range(1, 20):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full_at(call, getattr(owner, name)))
            try:
                CHANGES[change](small)
            except FolderError as error:
                assert "No space left" in str(error)  # noqa: PT017 - it need not come
                assert "cannot write to" in str(error)  # noqa: PT017
            else:
                break
        reader = VectorIndex.open(small.index.folder)
        for each in (small.index, reader):
            check(each.snapshot, small.held)
        reader.verify()
        if change != "migrate":  # which goes on from there
            assert names(small) == before
    assert call > 1
    small.index.verify()
    small.index.close()
    VectorIndex.open(small.index.folder, "a").verify()
    assert {path.name for path in small.index.folder.glob("segment-*")} <= {
        entry["name"] for entry in segment_folder.listed(small.index._manifest)
    }


def test_create_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_at(1, os.fsync))
        with pytest.raises(FolderError, match=r"cannot write to .*No space left") as kept:
            VectorIndex.create(tmp_path / "index", settings())
    VectorIndex.create(tmp_path / "index", settings()).close()
    assert kept.value.__cause__ is not None


def test_what_a_killed_writer_left_goes_with_the_next(small: Small) -> None:
    small.index.close()
    folder, before = small.index.folder, names(small)
    leftovers = [f"segment-{'0' * 32}.safetensors", f".{MANIFEST}.{'1' * 32}", f".{MIGRATION}.{'2' * 32}"]
    others = ["segment-notes.txt", "segment-1.safetensors", ".index.json.swp", "notes"]
    for name in (*leftovers, *others):
        (folder / name).write_text("x")
    check(VectorIndex.open(folder).snapshot, small.held)
    assert names(small) == before | {*leftovers, *others}
    VectorIndex.open(folder, "a").close()
    assert names(small) == before | {*others}


def test_an_unfinished_migration_stays_until_there_is_another(small: Small) -> None:
    migrated(small)
    before = names(small)
    small.index.close()
    index = VectorIndex.open(small.index.folder, "a")
    assert names(small) == before
    again = index.start_migration(settings("float16"))
    assert len(again.snapshot) == len(small.held)
    other = index.start_migration(settings("float32"))
    assert len(other.snapshot) == 0
    assert len(names(small)) == len(before) - 1
    check(index.snapshot, small.held)
    index.close()


_PROCESS = """
import sys
from pathlib import Path
from edge_st_runtime.errors import FolderError
from edge_st_runtime.store.dense.index import VectorIndex
try:
    index = VectorIndex.open(Path(sys.argv[1]), "a")
except FolderError as error:
    print(error, flush=True)
else:
    print("open", flush=True)
    sys.stdin.read()
"""


def process(folder: Path) -> tuple[Any, str]:
    """Another process that opens ``folder`` to write, and what it says then."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PROCESS, str(folder)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running: Any = subprocess.Popen(command, env=environment, **pipes)
    return running, running.stdout.readline()


def test_a_second_writer_in_another_process_and_one_that_is_killed(small: Small) -> None:
    refused, said = process(small.index.folder)
    assert "open for writing elsewhere" in said
    refused.wait(10)
    small.index.close()
    running, said = process(small.index.folder)
    assert said == "open\n"
    with pytest.raises(FolderError, match="open for writing elsewhere"):
        VectorIndex.open(small.index.folder, "a")
    running.send_signal(signal.SIGKILL)
    running.wait(10)
    with VectorIndex.open(small.index.folder, "a") as index:
        check(index.snapshot, small.held)
    for each in (refused, running):
        each.stdin.close()
        each.stdout.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_only_reads(small: Small) -> None:
    pid = os.fork()
    if not pid:
        right = False
        with suppress(BaseException):
            check(small.index.snapshot, small.held)
            try:
                small.append(1)
            except OptionError:
                right = not small.index.writable
            small.index.close()
        os._exit(0 if right else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert "open for writing elsewhere" in process(small.index.folder)[1]
    small.append(1)
    check(VectorIndex.open(small.index.folder).snapshot, small.held)


def use(folder: Path, held: dict[Any, int]) -> None:
    """Open and read all there is; raises DamagedFileError, or what it finds is right."""
    snapshot = VectorIndex.open(folder).snapshot
    rows = snapshot.rows().tolist()
    for row in rows:
        for read in (snapshot.id, snapshot.text, snapshot.metadata):
            read(row)
    snapshot.find([encoded_id(found) for found in held])
    snapshot.encoded([b"1", b"2"])
    snapshot.search(vector(1)[None], 5, DOT, SearchOptions(bool))
    snapshot.search(vector(1)[None], 5, DOT, SearchOptions(rows=np.arange(3)))


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")  # floats of which a bit was flipped
def test_flipped_bytes(small: Small) -> None:
    """Those of manifests and lists of deleted rows are refused; verify and compact find all others."""
    folder = small.index.folder
    deleted = {entry["deleted"]["name"] for entry in small.index._manifest["segments"] if entry["deleted"]}
    generator, refused = np.random.default_rng(9), 0
    small.index.close()
    assert deleted
    for path in sorted(folder.glob("[!.]*")):
        whole = path.read_bytes()
        for place in generator.permutation(len(whole))[:60].tolist():
            flip(path, place, int(generator.integers(8)))
            with suppress(DamagedFileError):
                use(folder, small.held)
                if path.name in deleted or path.name == MANIFEST:
                    assert path.name == MANIFEST  # blanks between its words may become others
                    check(VectorIndex.open(folder).snapshot, small.held)
            try:
                VectorIndex.open(folder).verify()
            except DamagedFileError:
                refused += 1
            else:
                assert path.name == MANIFEST
                check(VectorIndex.open(folder).snapshot, small.held)
            path.write_bytes(whole)
    assert refused > 300
    check(VectorIndex.open(folder).snapshot, small.held)


def test_files_that_are_cut_or_gone(small: Small) -> None:
    folder = small.index.folder
    small.index.close()
    for path in sorted(folder.glob("[!.]*")):
        whole = path.read_bytes()
        for missing in (1, 2, 7, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1, len(whole)):
            path.write_bytes(whole[:-missing])
            for mode in ("r", "a"):
                if path.name == MANIFEST and missing == 1:
                    VectorIndex.open(folder, mode).close()  # type: ignore[arg-type]
                    continue
                with pytest.raises(DamagedFileError, match=r"bytes, expected \d+|cannot be read as JSON|checksum"):
                    VectorIndex.open(folder, mode)  # type: ignore[arg-type]
        path.unlink()
        with pytest.raises(FolderError, match=r"is missing; build the index again|has no index.json; expected"):
            VectorIndex.open(folder)
        path.write_bytes(whole)
    check(VectorIndex.open(folder).snapshot, small.held)
    VectorIndex.open(folder, "a").close()


def test_a_damaged_segment_is_not_merged(small: Small) -> None:
    """Damage is told, and what is there stays: it can be restored."""
    folder, before = small.index.folder, names(small)
    path = folder / small.index._manifest["segments"][-1]["name"]
    whole = path.read_bytes()
    flip(path, len(whole) - 3)
    for change in ("compact", "merge"):
        with pytest.raises(DamagedFileError, match=rf"{path.name} has sha256 .*; build the index again"):
            CHANGES[change](small)
        assert names(small) == before
    path.write_bytes(whole)
    check(VectorIndex.open(folder).snapshot, small.held)
    small.index.compact()
    check(small.index.snapshot, small.held)


def test_another_one_than_the_manifest_says(small: Small) -> None:
    manifest = small.index.folder / MANIFEST
    whole = manifest.read_bytes()

    def refused(error: type[EdgeSTError], message: str) -> None:
        with pytest.raises(error, match=message):
            VectorIndex.open(manifest.parent)
        manifest.write_bytes(whole)

    rewrite(manifest, lambda found: found["settings"].update(dim=DIM + 1))
    refused(DamagedFileError, r"segment-\w+.safetensors: the segment holds \d+ numbers for 'vectors', expected \d+")
    rewrite(manifest, lambda found: found["settings"].update(precision="float16"))
    refused(DamagedFileError, "holds int8 for 'vectors'; expected float16")
    rewrite(manifest, lambda found: found["segments"][0].update(rows=3))
    refused(DamagedFileError, "deletes rows beyond 3; build the index again")
    rewrite(manifest, lambda found: found.update(format_version=1))
    refused(DamagedFileError, "format version 1, this edge-st reads 2; update with: pip install -U edge-st")
    rewrite(manifest, lambda found: found.update(kind="BM25"))
    refused(FolderError, r"was not written by Index; open it with BM25\.open")
    rewrite(manifest, lambda found: found["segments"][1].update(rows=3))
    refused(DamagedFileError, "the segment holds 8 numbers for")
    manifest.write_bytes(whole.replace(b'"added": 37', b'"added": 27'))
    refused(DamagedFileError, "its checksum differs")
    replace_columns(manifest, text_ends=np.arange(30, dtype=np.int64))
    refused(DamagedFileError, "the ends of the text strings do not fit their content")
    manifest.unlink()
    with pytest.raises(FolderError, match=r"has no index\.json; expected a folder that Index wrote"):
        VectorIndex.open(manifest.parent, "a")


def test_folders_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for mode in ("r", "a"):
        with pytest.raises(FolderNotFoundError, match="is not there; expected a folder that Index wrote"):
            VectorIndex.open(tmp_path / "missing", mode)  # type: ignore[arg-type]
        with pytest.raises(NotAFolderError, match="is a file; expected"):
            VectorIndex.open(tmp_path / "file", mode)  # type: ignore[arg-type]
        with pytest.raises(FolderError, match=r"has no index\.json"):
            VectorIndex.open(tmp_path, mode)  # type: ignore[arg-type]
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FolderError, match="cannot write to"):
            VectorIndex.create(path, settings())
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_one_index_a_folder(tmp_path: Path) -> None:
    """Each takes the other's segments for leftovers."""
    small = Small.create(tmp_path / "vectors")
    small.append(3)
    small.index.close()
    with pytest.raises(FolderError, match=r"has index\.json: it holds an index of another kind; choose another folder"):
        InvertedIndex(4).save(tmp_path / "vectors")
    check(VectorIndex.open(tmp_path / "vectors").snapshot, small.held)
    InvertedIndex(4).save(tmp_path / "words")
    with pytest.raises(FolderError, match=r"has postings\.json: it holds an index of another kind"):
        VectorIndex.create(tmp_path / "words", settings())
    InvertedIndex.open(tmp_path / "words").verify()


def test_a_reader_of_files_that_go(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the check of a file and its opening."""
    folder, memmap = small.index.folder, np.memmap
    monkeypatch.setattr(np, "memmap", lambda path, **options: Path(path).unlink() or memmap(path, **options))
    with pytest.raises(MissingFileError, match="safetensors is missing; build the index again"):
        VectorIndex.open(folder)


@pytest.mark.parametrize("mode", ["r", "a"])
def test_other_rows_than_those_that_were_deleted(small: Small, mode: Any) -> None:
    """A row that comes back, or goes, would not be told from right ones."""
    (deleted,) = [entry["deleted"]["name"] for entry in small.index._manifest["segments"] if entry["deleted"]]
    path = small.index.folder / deleted
    small.index.close()
    flip(path, path.stat().st_size - 4)
    with pytest.raises(DamagedFileError, match=rf"{deleted} has sha256 .*; build the index again"):
        VectorIndex.open(small.index.folder, mode)
