"""The vector index on a full disk."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import (
    FolderError,
)
from edge_st_runtime.store import segment_file, segment_folder
from edge_st_runtime.store.dense.index import VectorIndex
from tests.support.small_vectors import CHANGES, Small, check, files_of, settings

#: what fails, where it is found
STEPS = {
    "sync": (os, "fsync"),
    "rename": (segment_folder.Path, "replace"),
    "write": (segment_file, "_bytes"),
}


def full_at(call: int, done: Callable[..., Any]) -> Callable[..., Any]:
    """``done``, whose call number ``call`` fails with a full disk."""
    calls = iter(range(1, 1000))

    def full(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            raise OSError(28, "No space left on device")
        return done(*arguments, **options)

    return full


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_full_disk_changes_nothing(small: Small, change: str, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write of the change fails in turn."""
    (owner, name), before, call = STEPS[step], files_of(small), 0
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
        reader = small.open()
        for each in (small.index, reader):
            check(each.snapshot, small.held)
        reader.verify()
        if change != "migrate":  # a migration is continued
            assert files_of(small) == before
    assert call > 1
    small.index.verify()
    small.index.close()
    small.open("a").verify()
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
