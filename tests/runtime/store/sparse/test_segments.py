"""The folder of an inverted index: saved, opened, extended, damaged."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, FolderError, FolderNotFoundError, MissingFileError, NotAFolderError
from edge_st_runtime.store.sparse.bm25 import BM25
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from edge_st_runtime.store.sparse.segments import MANIFEST
from edge_st_runtime.vectors.sparse import SparseMatrix
from tests.support.damage import cut, flip, replace_columns, rewrite
from tests.support.small_index import DIM, DOCUMENTS, check, filled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    filled(DOCUMENTS[:50]).save(tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize("documents", [DOCUMENTS, DOCUMENTS[:0], DOCUMENTS[:1]], ids=["many", "none", "empty"])
def test_saved_and_opened(tmp_path: Path, documents: SparseMatrix) -> None:
    filled(documents).save(tmp_path / "new" / "index")
    index = InvertedIndex.open(tmp_path / "new" / "index")
    check(index, documents)
    index.verify()


def test_grows_on_disk(folder: Path) -> None:
    index = InvertedIndex.open(folder)
    for part in (slice(50, 90), slice(90, 120)):
        index.add(DOCUMENTS[part])
    for each in (index, InvertedIndex.open(folder)):
        check(each)
    index.merge()
    for each in (index, InvertedIndex.open(folder)):
        check(each)
        each.verify()
    assert len(segments(folder)) == 1


def test_small_segments_are_merged_as_they_come(folder: Path) -> None:
    index, grown = InvertedIndex(DIM), InvertedIndex.open(folder)
    for row in DOCUMENTS:
        index.add(row)
        assert len(index._segments.parts) <= 7
    grown.add(DOCUMENTS[50:90])
    assert len(segments(folder)) == 2
    grown.add(DOCUMENTS[90:])
    grown.add(DOCUMENTS)
    assert len(segments(folder)) == 1
    check(InvertedIndex.open(folder), DOCUMENTS[[*range(120), *range(120)]])


def test_save_replaces_and_leaves_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    index = InvertedIndex.open(folder)
    index.save(folder)
    check(InvertedIndex.open(folder), DOCUMENTS[:50])
    filled().save(folder)
    check(InvertedIndex.open(folder))
    check(index, DOCUMENTS[:50])
    assert names(folder) == {MANIFEST, ".lock", "notes.txt", segment(folder).name}


def test_a_search_reads_the_file_in_place(folder: Path) -> None:
    def base(array: Any) -> Any:
        return array if array.base is None or isinstance(array, np.memmap) else base(array.base)

    (part,) = InvertedIndex.open(folder)._segments.parts
    assert all(isinstance(base(array), np.memmap) for array in (part.documents, part.weights))


@pytest.mark.parametrize("call", [1, 2])
def test_an_add_that_fails_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    calls, fsync = iter(range(1, 9)), os.fsync

    def full(descriptor: int) -> None:
        if next(calls) == call:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    index, before = InvertedIndex.open(folder), names(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(FolderError, match=r"cannot write to .*the disk is full.*No space left"):
            index.add(DOCUMENTS[50:])
    for each in (index, InvertedIndex.open(folder)):
        check(each, DOCUMENTS[:50])
    assert names(folder) - {".lock"} == before - {".lock"}
    index.add(DOCUMENTS[50:])
    check(InvertedIndex.open(folder))


def test_a_folder_that_cannot_be_synced_after_the_rename_holds_the_new_documents(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(1, 9))

    def full(descriptor: int) -> None:
        if next(calls) == 3:
            raise OSError(5, "Input/output error")

    index = InvertedIndex.open(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        index.add(DOCUMENTS[50:])
    assert next(calls) == 4
    for each in (index, InvertedIndex.open(folder)):
        check(each)


@pytest.mark.parametrize("call", [1, 2])
def test_a_killed_process_leaves_the_index_as_it_was(folder: Path, call: int) -> None:
    code = f"""
import os
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from edge_st_runtime.vectors.sparse import SparseMatrix
calls = iter(range(1, 7))
os.fsync = lambda descriptor: next(calls) == {call} and os._exit(9)
InvertedIndex.open({str(folder)!r}).add(SparseMatrix.from_dense([[1.0] * {DIM}]))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 9
    index = InvertedIndex.open(folder)
    assert len(segments(folder)) == 2
    check(index, DOCUMENTS[:50])
    index.merge()
    assert names(folder) == {MANIFEST, ".lock", segment(folder).name}
    check(InvertedIndex.open(folder), DOCUMENTS[:50])


def test_two_writers(folder: Path) -> None:
    first, second = InvertedIndex.open(folder), InvertedIndex.open(folder)
    first.add(DOCUMENTS[50:])
    with pytest.raises(FolderError, match="changed by another process since it was opened; open it again"):
        second.add(DOCUMENTS[50:])
    assert len(segments(folder)) == 1
    check(second, DOCUMENTS[:50])
    check(InvertedIndex.open(folder))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def segments(folder: Path) -> list[Path]:
    return list(folder.glob("segment-*.safetensors"))


def segment(folder: Path) -> Path:
    (found,) = segments(folder)
    return found


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / MANIFEST
    path.write_text(path.read_text().replace(old, new))


def put(folder: Path, **columns: Any) -> None:
    replace_columns(folder / MANIFEST, **columns)


def change(folder: Path, changes: Callable[[dict[str, Any]], object]) -> None:
    rewrite(folder / MANIFEST, changes)


ACCIDENTS: list[tuple[Callable[[Path], object], type[FolderError], str]] = [
    (lambda folder: cut(segment(folder)), DamagedFileError, r"segment-\w+.safetensors has \d+ bytes, expected"),
    (lambda folder: segment(folder).unlink(), MissingFileError, "safetensors is missing; build the index again"),
    (lambda folder: flip(segment(folder), 0, 3), DamagedFileError, "is truncated or not a safetensors file.*build"),
    (lambda folder: flip(segment(folder), 12), DamagedFileError, "is truncated or no saf|holds no such column"),
    (lambda folder: cut(folder / MANIFEST, 2), DamagedFileError, "cannot be read as JSON"),
    (lambda folder: (folder / MANIFEST).unlink(), FolderError, f"has no {MANIFEST}; expected a folder"),
    (lambda folder: change(folder, lambda found: found.update(format_version=9)), DamagedFileError, "version 9"),
    (lambda folder: change(folder, lambda found: found.update(kind="BM25")), FolderError, "open it with BM25.open"),
    (lambda folder: edit(folder, '"segments"', '"segmenta"'), DamagedFileError, "checksum differs; build the index"),
    (lambda folder: edit(folder, '"dim": 30', '"dim": 31'), DamagedFileError, "checksum differs; build the index"),
    (lambda folder: change(folder, lambda found: found["segments"][0].pop("name")), DamagedFileError, r"\[0\]\.name"),
    (
        lambda folder: change(folder, lambda found: found["settings"].update(dim=9)),
        DamagedFileError,
        "do not have 9",
    ),
    (
        lambda folder: change(folder, lambda found: found["segments"][0].update(name=".")),
        DamagedFileError,
        r"segments\[0\]\.name is '\.'; expected a text",
    ),
    (lambda folder: put(folder, weights=np.ones(3)), DamagedFileError, "float64.*expected float32"),
    (
        lambda folder: put(folder, weights=np.ones(3, np.float32)),
        DamagedFileError,
        "lengths that do not fit each other",
    ),
    (lambda folder: put(folder, words=np.zeros(3, np.uint8)), DamagedFileError, "words in .* cannot be read"),
]


@pytest.mark.parametrize(("accident", "error", "message"), ACCIDENTS)
def test_damaged(folder: Path, accident: Callable[[Path], object], error: type[FolderError], message: str) -> None:
    accident(folder)
    with pytest.raises(error, match=message):
        InvertedIndex.open(folder)


def test_what_only_the_checksum_tells(folder: Path) -> None:
    path = segment(folder)
    flip(path, path.stat().st_size // 2)
    index = InvertedIndex.open(folder)
    with pytest.raises(DamagedFileError, match=r"safetensors has sha256 .*, expected .*; build the index again"):
        index.verify()
    path.unlink()
    with pytest.raises(MissingFileError, match=r"safetensors is missing"):
        index.verify()


def test_folders_without_an_index(tmp_path: Path) -> None:
    with pytest.raises(FolderNotFoundError, match=r"is not there; expected a folder that InvertedIndex wrote"):
        InvertedIndex.open(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(NotAFolderError, match="is a file"):
        InvertedIndex.open(tmp_path / "file")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FolderError, match="cannot write to"):
            filled().save(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(folder: Path) -> None:
    folder.chmod(0o500)
    index = InvertedIndex.open(folder)
    with pytest.raises(FolderError, match=r"cannot write to .*; make it writable"):
        index.add(DOCUMENTS[50:])
    check(index, DOCUMENTS[:50])
    folder.chmod(0o700)


def test_saving_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    photos = tmp_path / "segment-2024-photos"
    photos.mkdir()
    InvertedIndex(4).save(tmp_path)
    assert photos.is_dir()
    with pytest.raises(FolderError, match="holds an index of InvertedIndex; choose another folder for this index of"):
        BM25().save(tmp_path)


def test_a_document_that_is_not_there(tmp_path: Path) -> None:
    index = InvertedIndex(4)
    index.add(SparseMatrix.from_dense(np.eye(4)))
    index.save(tmp_path)
    put(tmp_path, documents=np.array([0, 1, 2, 0x7F000003], dtype=np.int32))
    with pytest.raises(DamagedFileError, match=r"names a document that it does not hold.*verify\(\)"):
        InvertedIndex.open(tmp_path).search(SparseMatrix.from_dense(np.ones((1, 4))))
