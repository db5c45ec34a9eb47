"""An index after accidents: killed and shared, on a file system to read only, cut short, and with flipped bytes."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from edge_st_runtime.errors import DamagedFileError, FolderError
from tests.support.damage import cut, flip
from tests.support.indexed import TEXTS, check, ids_of, names

METADATA = [{"n": place} for place in range(60)]
HELD = {place: text for place, text in enumerate(TEXTS[:60]) if place != 3}


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture
def folder(model: SentenceTransformer, tmp_path: Path, quick_disk: None) -> Path:
    """Two segments and a deleted row."""
    with Index.build(model, TEXTS[:50], tmp_path / "x", metadata=METADATA[:50], precision="int8") as index:
        index.add(TEXTS[50:60], metadata=METADATA[50:])
        index.delete([3])
    return tmp_path / "x"


def soak(*arguments: object) -> dict[str, int]:
    """`tests.soak_index` in a process of its own, which forks."""
    command = [sys.executable, "-m", "tests.soak_index", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", [[], ["tokens"]])
@pytest.mark.parametrize("times", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_a_writer_that_is_killed_at_any_moment(times: int, kind: list[str]) -> None:
    assert soak("kills", times, *kind)["kills"] == times


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_readers_beside_a_writer(seconds: int) -> None:
    assert soak("readers", seconds)["searches"] > 10 * seconds


@pytest.fixture
def read_only(folder: Path, tmp_path: Path) -> Iterator[Path]:
    """``folder``, where nothing can be written, root included."""
    place = tmp_path / "read-only"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "--bind", folder, place], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run([mount, "-o", "remount,ro,bind", place], check=True)
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)  # at once, though an index may still have files mapped


def test_a_file_system_to_read_only(read_only: Path, model: SentenceTransformer) -> None:
    reader = Index.open(read_only, model=model)
    check(reader, HELD, model)
    reader.verify()
    with pytest.raises(FolderError, match=r"cannot write to .*Read-only file system.*make it writable, or write to an"):
        Index.open(read_only, "a", model)
    with pytest.raises(FolderError, match=r"already holds an index"):
        Index.build(model, ["a"], read_only)
    with pytest.raises(FolderError, match=r"cannot write to .*Read-only file system"):
        Index.build(model, ["a"], read_only / "below")
    check(reader, HELD, model)


def test_a_file_system_that_becomes_one_to_read_only(
    folder: Path, model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Linux does where a disk fails: the writer is there already."""
    before, opened = names(folder), Path.open

    def refused(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if "w" in mode:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return opened(path, mode, *arguments, **options)

    with Index.open(folder, "a", model) as index:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", refused)
            for call in (
                lambda: index.add(["new"]),
                lambda: index.update([0], ["new"]),
                lambda: index.delete([0]),
                index.compact,
                lambda: index.migrate(SentenceTransformer(truncate_dim=8)),
            ):
                with pytest.raises(FolderError, match=r"cannot write to .*Read-only file system"):
                    call()
                check(index, HELD, model)
        assert names(folder) == before
        index.add(["new"])
        check(index, HELD | {60: "new"}, model)


def use(folder: Path, model: SentenceTransformer) -> None:
    index = Index.open(folder, model=model)
    hits = index.search("fruit", top_k=100)
    index.search("fruit", filter={"n": [1, 2, 3, 50]})
    with suppress(ValueError):  # an id that was changed is not there
        index.get(list(HELD))
    assert len(hits) <= 59


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")  # numbers of which a bit was flipped
def test_flipped_bytes(folder: Path, model: SentenceTransformer) -> None:
    """No other error than DamagedFileError comes of them, and `verify` and `compact` tell each."""
    generator, found = np.random.default_rng(0), 0
    for path in sorted(folder.glob("segment-*")):
        whole = path.read_bytes()
        for place in generator.permutation(len(whole))[:20].tolist():
            flip(path, place, int(generator.integers(8)))
            with suppress(DamagedFileError):
                use(folder, model)
            with pytest.raises(
                DamagedFileError, match=r"sha256 .* expected .*; build the index again|truncated|the segment"
            ):
                Index.open(folder).verify()
            found += 1
            path.write_bytes(whole)
    assert found == 60
    check(Index.open(folder, model=model), HELD, model)


def test_a_damaged_index_is_not_compacted(folder: Path, model: SentenceTransformer) -> None:
    path = max(folder.glob("segment-*"), key=lambda found: found.stat().st_size)
    whole = path.read_bytes()
    flip(path, len(whole) // 2)
    before = names(folder)
    with Index.open(folder, "a", model) as index:
        with pytest.raises(DamagedFileError, match=f"{path.name} has sha256"):
            index.compact()
        assert names(folder) == before
        path.write_bytes(whole)
        index.compact()
        check(index, HELD, model)


def test_files_that_are_cut_or_gone(folder: Path) -> None:
    for path in sorted(folder.glob("[!.]*")):
        whole = path.read_bytes()
        for missing in (2, 50, len(whole) - 1, len(whole)):
            cut(path, missing)
            for mode in ("r", "a"):
                with pytest.raises(DamagedFileError, match=r"build the index again, or restore the folder"):
                    Index.open(folder, mode)  # type: ignore[arg-type]
            path.write_bytes(whole)
        path.unlink()
        with pytest.raises(FolderError, match=r"is missing; build the index again|has no index\.json"):
            Index.open(folder)
        path.write_bytes(whole)
    check(Index.open(folder), HELD)


def test_what_is_open_goes_on_where_the_folder_goes(folder: Path, model: SentenceTransformer) -> None:
    """Files that are mapped stay until they are closed."""
    index = Index.open(folder, model=model)
    shutil.rmtree(folder)
    assert len(ids_of(index.search("fruit"))) == 10
    with pytest.raises(FolderError, match="is not there; expected a folder that Index wrote"):
        index.refresh()
    check(index, HELD, model)
