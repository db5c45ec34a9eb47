"""A folder, FIFO, socket, device or bad link where an index has a file, or where it should be: named, never absent."""

from pathlib import Path

import pytest

from edge_st_runtime.errors import DamagedFileError, FolderError
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.rows.free import check_free
from edge_st_runtime.store.sparse.bm25 import BM25
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from tests.support.irregular import IRREGULAR
from tests.support.small_index import DIM, DOCUMENTS, filled
from tests.support.small_vectors import Small, settings


def put(kind: str, path: Path) -> None:
    path.unlink()
    IRREGULAR[kind](path)


@pytest.mark.parametrize("kind", IRREGULAR)
@pytest.mark.parametrize("file", ["segment-*", "index.json", "migration.json"])
def test_vectors(kind: str, file: str, tmp_path: Path) -> None:
    small = Small.create(tmp_path / "index")
    small.append(3)
    small.index.start_migration(settings())
    small.index.close()
    (path,) = (tmp_path / "index").glob(file)
    put(kind, path)
    match = rf"{path.name}.*{kind}.*build the index again, or restore the folder$"
    with pytest.raises(DamagedFileError, match=match):
        VectorIndex.open(tmp_path / "index", "a")
    if file == "index.json":
        with pytest.raises(DamagedFileError, match=match):
            VectorIndex.create(tmp_path / "index", settings())
    if file != "migration.json":
        with pytest.raises(DamagedFileError, match=match):
            VectorIndex.open(tmp_path / "index")
        with pytest.raises(DamagedFileError, match=match):
            small.index.verify()


@pytest.mark.parametrize("kind", IRREGULAR)
@pytest.mark.parametrize("file", ["segment-*", "postings.json"])
def test_postings(kind: str, file: str, tmp_path: Path) -> None:
    filled().save(tmp_path)
    opened = InvertedIndex.open(tmp_path)
    (path,) = tmp_path.glob(file)
    put(kind, path)
    needs_it = opened.verify if file == "segment-*" else lambda: opened.add(DOCUMENTS)
    for damaged in (lambda: InvertedIndex.open(tmp_path), needs_it):
        with pytest.raises(DamagedFileError, match=rf"{path.name}.*{kind}.*build the index again"):
            damaged()


@pytest.mark.parametrize("kind", IRREGULAR)
def test_where_the_folder_should_be(kind: str, tmp_path: Path) -> None:
    if kind != "a folder":
        IRREGULAR[kind](tmp_path / "index")
        for use in (VectorIndex.open, BM25.open, check_free):
            with pytest.raises(FolderError, match=f"{kind}.*; expected "):
                use(tmp_path / "index")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"], ids=["too long", "a zero byte"])
def test_a_name_that_no_folder_has(name: str, tmp_path: Path) -> None:
    for use in (VectorIndex.open, BM25.open, check_free):
        with pytest.raises(FolderError, match="expected "):
            use(tmp_path / name)
    with pytest.raises(FolderError):
        InvertedIndex(DIM).save(tmp_path / name)
