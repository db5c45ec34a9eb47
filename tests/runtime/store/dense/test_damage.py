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
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.rows.index import MANIFEST
from edge_st_runtime.store.rows.snapshot import SearchOptions, encoded_id
from edge_st_runtime.store.tokens.snapshot import TokenSnapshot
from tests.support.damage import flip, replace_columns, rewrite
from tests.support.small_tokens import token_vectors
from tests.support.small_vectors import CHANGES, DIM, DOT, Small, check, files_of, vector


def use(small: Small, held: dict[Any, int]) -> None:
    """Open the index and read everything in it."""
    snapshot = small.open().snapshot
    rows = snapshot.rows().tolist()
    for row in rows:
        for read in (snapshot.id, snapshot.text, snapshot.metadata):
            read(row)
    snapshot.find([encoded_id(found) for found in held])
    snapshot.encoded([b"1", b"2"])
    for wanted in (SearchOptions(bool), SearchOptions(rows=np.arange(3))):
        if isinstance(snapshot, TokenSnapshot):
            snapshot.search([token_vectors(4)], 5, wanted)
        else:
            snapshot.search(vector(1)[None], 5, DOT, wanted)


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")  # floats with a flipped bit
def test_flipped_bytes(small: Small) -> None:
    """Opening refuses those in manifests and lists of deleted rows; verify finds all others."""
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
                use(small, small.held)
                if path.name in deleted or path.name == MANIFEST:
                    assert path.name == MANIFEST  # white space in JSON may change
                    check(small.open().snapshot, small.held)
            try:
                small.open().verify()
            except DamagedFileError:
                refused += 1
            else:
                assert path.name == MANIFEST
                check(small.open().snapshot, small.held)
            path.write_bytes(whole)
    assert refused > 300
    check(small.open().snapshot, small.held)


def test_truncated_and_missing_files(small: Small) -> None:
    folder = small.index.folder
    small.index.close()
    for path in sorted(folder.glob("[!.]*")):
        whole = path.read_bytes()
        for missing in (1, 2, 7, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1, len(whole)):
            path.write_bytes(whole[:-missing])
            for mode in ("r", "a"):
                if path.name == MANIFEST and missing == 1:
                    small.open(mode).close()  # type: ignore[arg-type]
                    continue
                with pytest.raises(DamagedFileError, match=r"bytes, expected \d+|cannot be read as JSON|checksum"):
                    small.open(mode)  # type: ignore[arg-type]
        path.unlink()
        with pytest.raises(FolderError, match=r"is missing; build the index again|has no index.json; expected"):
            small.open()
        path.write_bytes(whole)
    check(small.open().snapshot, small.held)
    small.open("a").close()


def test_a_damaged_segment_is_not_merged(small: Small) -> None:
    """An error is raised and no file is removed, so that the damaged one can be restored."""
    folder, before = small.index.folder, files_of(small)
    path = folder / small.index._manifest["segments"][-1]["name"]
    whole = path.read_bytes()
    flip(path, len(whole) - 3)
    for change in ("compact", "merge"):
        with pytest.raises(DamagedFileError, match=rf"{path.name} has sha256 .*; build the index again"):
            CHANGES[change](small)
        assert files_of(small) == before
    path.write_bytes(whole)
    check(small.open().snapshot, small.held)
    small.index.compact()
    check(small.index.snapshot, small.held)


def test_a_manifest_that_does_not_fit_its_segments(dense: Small) -> None:
    manifest = dense.index.folder / MANIFEST
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


def test_a_file_removed_while_it_is_opened(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is removed between its check and its opening."""
    memmap = np.memmap
    monkeypatch.setattr(np, "memmap", lambda path, **options: Path(path).unlink() or memmap(path, **options))
    with pytest.raises(MissingFileError, match="safetensors is missing; build the index again"):
        small.open()


@pytest.mark.parametrize("mode", ["r", "a"])
def test_other_rows_than_those_that_were_deleted(small: Small, mode: Any) -> None:
    """Nothing else would show that a row has come back or is missing."""
    (deleted,) = [entry["deleted"]["name"] for entry in small.index._manifest["segments"] if entry["deleted"]]
    path = small.index.folder / deleted
    small.index.close()
    flip(path, path.stat().st_size - 4)
    with pytest.raises(DamagedFileError, match=rf"{deleted} has sha256 .*; build the index again"):
        small.open(mode)
