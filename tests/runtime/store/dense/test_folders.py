"""Folders without a vector index, and with an index of another kind."""

from pathlib import Path

import pytest

from edge_st_runtime.errors import (
    FolderError,
    FolderNotFoundError,
    NotAFolderError,
)
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from tests.support.small_vectors import Small, check, settings


def test_folders_without_an_index(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for mode in ("r", "a"):
        with pytest.raises(FolderNotFoundError, match="is not there; expected a folder that Index wrote"):
            VectorIndex.open(tmp_path / "missing", mode)  # type: ignore[arg-type]
        with pytest.raises(NotAFolderError, match="is a file; expected"):
            VectorIndex.open(tmp_path / "file", mode)  # type: ignore[arg-type]
        with pytest.raises(FolderError, match=r"has no index\.json"):
            VectorIndex.open(tmp_path, mode)  # type: ignore[arg-type]
    with pytest.raises(NotAFolderError, match="is a file; expected the folder of the index, new or empty"):
        VectorIndex.create(tmp_path / "file", settings())
    with pytest.raises(FolderError, match="holds no index but file; expected a folder that is new or empty"):
        VectorIndex.create(tmp_path, settings())
    with pytest.raises(FolderError, match="cannot write to"):
        VectorIndex.create(tmp_path / "file" / "below", settings())
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_one_index_a_folder(tmp_path: Path) -> None:
    """Two would remove each other's segments as leftovers."""
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
