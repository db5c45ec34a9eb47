"""The vector index with damaged files."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import (
    DamagedFileError,
    EdgeSTError,
    FolderError,
    MissingFileError,
)
from edge_st_runtime.store.dense.index import MANIFEST, VectorIndex
from edge_st_runtime.store.dense.snapshot import SearchOptions, encoded_id
from tests.support.damage import flip, replace_columns, rewrite
from tests.support.small_vectors import CHANGES, DIM, DOT, Small, check, files_of, vector


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
    folder, before = small.index.folder, files_of(small)
    path = folder / small.index._manifest["segments"][-1]["name"]
    whole = path.read_bytes()
    flip(path, len(whole) - 3)
    for change in ("compact", "merge"):
        with pytest.raises(DamagedFileError, match=rf"{path.name} has sha256 .*; build the index again"):
            CHANGES[change](small)
        assert files_of(small) == before
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
