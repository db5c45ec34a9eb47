"""The vector index: its content after every kind of change, for the writer and for readers."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import FolderError, OptionError
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.rows import changes
from edge_st_runtime.store.rows import index as row_index
from edge_st_runtime.store.rows import manifest as index_files
from edge_st_runtime.store.rows.index import MANIFEST
from edge_st_runtime.store.rows.manifest import merged_from
from edge_st_runtime.store.rows.snapshot import SearchOptions, encoded_id
from tests.support.small_vectors import DIM, DOT, Small, check, rows_of, settings, vector

KINDS = [("float32", None), ("float16", None), ("int8", "float32"), ("binary", "float32"), ("float16", "float32")]
pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def small(tmp_path: Path) -> Small:
    found = Small.create(tmp_path / "index")
    found.append(20)
    return found


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def check_all(small: Small) -> None:
    """Check the writer's snapshot and a reader's, and that no unlisted file is left."""
    check(small.index.snapshot, small.held)
    reader = VectorIndex.open(small.index.folder)
    check(reader.snapshot, small.held)
    reader.verify()
    listed = {entry["name"] for entry in row_index.listed(reader._manifest)}
    assert files(small.index.folder) == {MANIFEST} | listed


@pytest.mark.parametrize("texts", [True, False])
@pytest.mark.parametrize(("precision", "rescore"), KINDS)
def test_changes(tmp_path: Path, precision: str, rescore: str | None, texts: bool) -> None:
    small = Small.create(tmp_path, precision, rescore, texts)
    check_all(small)
    for count in (1, 30, 3):
        small.append(count)
        check_all(small)
    small.append(5, [0, 33, "new", 7, 33_000])
    check_all(small)
    small.delete(7, 1, 33_000)
    check_all(small)
    small.delete(*[found for found in small.held if found != "new"])
    check_all(small)
    small.append(2)
    small.index.compact()
    check_all(small)
    small.delete(*small.held)
    check_all(small)
    small.index.compact()
    small.append(9)
    check_all(small)


def test_at_random(tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    small = Small.create(tmp_path, "int8", "float32")
    for step in range(120):
        choice = generator.random()
        if choice < 0.7 or not small.held:
            small.append(int(generator.integers(1, 12)))
        elif choice < 0.8:
            ids = list(small.held)
            small.append(2, [ids[0], ids[-1]] if len(ids) > 1 else ["x", "y"])
        elif choice < 0.97:
            small.delete(*generator.permutation(list(small.held))[:4].tolist())
        else:
            small.index.compact()
        if step % 10 == 0:
            check_all(small)
    check_all(small)
    assert len(small.index.snapshot.segments) < 30


def test_blocks_are_transposed_and_merged_at_their_edges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("search.blocks", "store.dense.layout", "search.exact", "search.scan", "search.codes"):
        monkeypatch.setattr(f"edge_st_runtime.{module}.ROWS", 8)
    for precision in ("int8", "binary"):
        small = Small.create(tmp_path / precision, precision, "float32")
        for count in (8, 1, 7, 16, 17, 3):
            small.append(count)
        small.delete(0, 7, 8, 15, 16)
        small.index.compact()
        check_all(small)
        decoded = small.index.snapshot.segments[0].vectors.codes.vectors(np.arange(len(small.held)))
        expected = small.index.snapshot.layout.copies[""]
        rows = np.array([vector(seed) for seed in small.held.values()])
        np.testing.assert_array_equal(decoded, expected.decode(expected.encode(rows), DIM))


def test_many_tiny_appends_make_few_segments(tmp_path: Path) -> None:
    small, most, written = Small.create(tmp_path), 0, []
    write = changes.write_segment
    for _ in range(300):
        small.append(1)
        most = max(most, len(small.index.snapshot.segments))
        written.append(small.index.snapshot.segments[-1].count)
    assert most <= 21
    assert sum(written) < 300 * 4
    assert write is changes.write_segment
    check_all(small)


@pytest.mark.parametrize(
    ("sizes", "first"),
    [
        ([5], 0),
        ([1] * 7, 6),
        ([1] * 8, 0),
        ([100, *[1] * 8], 1),
        ([8] * 7 + [1] * 8, 0),
        ([64] * 7 + [8] * 7 + [1] * 8, 0),
        ([64] * 6 + [8] * 7 + [1] * 8, 6),
        ([1, 1, 1000], 2),
        ([1] * 7 + [1000], 0),
        ([0] * 8, 0),
    ],
)
def test_the_first_segment_to_merge(sizes: list[int], first: int) -> None:
    assert merged_from(sizes) == first


def test_readers_find_what_they_found(small: Small) -> None:
    reader, held = VectorIndex.open(small.index.folder), dict(small.held)
    small.append(50)
    small.delete(3)
    small.index.compact()
    check(reader.snapshot, held)
    before = reader.snapshot
    assert reader.refresh()
    assert not reader.refresh()
    check(reader.snapshot, small.held)
    check(before, held)


def test_a_reader_opens_what_a_writer_replaces(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files in the manifest are removed before they are opened."""
    opened, read = [], index_files.read_segment

    def slow(folder: Path, entry: Any) -> Any:
        opened.append(entry["name"])
        if len(opened) == 1:
            small.append(300)
            small.delete(0)
            small.index.compact()
        return read(folder, entry)

    small.append(3)
    monkeypatch.setattr(index_files, "read_segment", slow)
    reader = VectorIndex.open(small.index.folder)
    check(reader.snapshot, small.held)
    reader.close()


def test_a_refusal_of_a_refresh_changes_nothing(small: Small) -> None:
    def refuse(snapshot: Any) -> None:
        raise OptionError(f"{len(snapshot)} rows")

    reader, held = VectorIndex.open(small.index.folder), dict(small.held)
    small.append(1)
    for _ in range(2):
        with pytest.raises(OptionError, match="21 rows"):
            reader.refresh(refuse)
        check(reader.snapshot, held)
    assert reader.refresh()


def test_rows_with_the_same_text(small: Small) -> None:
    small.delete(5)
    found = small.index.snapshot.encoded([b"3", b"5", b"50", b""]).tolist()
    assert found == [3, 5, -1, -1]
    stored = small.index.snapshot.stored(np.array([5, 3]))
    np.testing.assert_array_equal(stored.finest.vectors(np.arange(2)), [vector(5), vector(3)])
    small.index.compact()
    assert small.index.snapshot.encoded([b"5"]).tolist() == [-1]


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_search_options(tmp_path: Path, precision: str, few: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not few:
        monkeypatch.setattr("edge_st_runtime.store.rows.snapshot._FEW_ROWS", 0)
    small = Small.create(tmp_path, precision, "float32")
    for count in (10, 30, 2):
        small.append(count)
    small.delete(4)
    snapshot, query = small.index.snapshot, vector(1)[None]
    wanted = [seed for seed in small.held if seed % 3]
    rows = snapshot.find([encoded_id(found) for found in wanted])

    def best(ids: list[int], least: float = -np.inf) -> list[int]:
        scores = {found: float(query[0] @ vector(found)) for found in ids}
        kept = [found for found in sorted(ids, key=lambda found: (-scores[found], found)) if scores[found] >= least]
        return kept[:5]

    def found(wanted: SearchOptions) -> list[Any]:
        return [snapshot.id(row) for row in snapshot.search(query, 5, DOT, wanted)[1][0].tolist() if row >= 0]

    odd = [seed for seed in wanted if seed % 2]
    assert found(SearchOptions(rows=rows, candidates=500)) == best(wanted)
    assert found(SearchOptions(lambda metadata: metadata["odd"], rows, candidates=500)) == best(odd)
    assert found(SearchOptions(lambda _: False, rows)) == []
    assert found(SearchOptions(lambda _: False)) == []
    assert found(SearchOptions(rows=rows[:0])) == []
    for least in (0.0, 30.0, 1e9):
        assert found(SearchOptions(rows=rows, threshold=least, candidates=500)) == best(wanted, least)
        assert found(SearchOptions(threshold=least, candidates=500)) == best(list(small.held), least)


def test_statistics(small: Small) -> None:
    small.append(5)
    small.delete(0, 1)
    found = small.index.statistics()
    assert (found["rows"], found["deleted"], found["segments"]) == (23, 2, 2)
    on_disk = sum(path.stat().st_size for path in small.index.folder.glob("segment-*"))
    assert found["bytes"] == on_disk
    assert found["bytes_per_vector"] == 4 * DIM


def test_two_writers(small: Small) -> None:
    with pytest.raises(FolderError, match=r"open for writing elsewhere; close it there, or open it here.*mode='r'"):
        VectorIndex.open(small.index.folder, "a")
    reader = VectorIndex.open(small.index.folder)
    with pytest.raises(OptionError, match=r"open for reading; open it for writing: Index\.open\(path, mode='a'\)"):
        reader.compact()
    small.index.close()
    small.index.close()
    with VectorIndex.open(small.index.folder, "a") as second:
        assert second.writable
    with pytest.raises(OptionError, match="open for reading"):
        small.append(1)
    with pytest.raises(OptionError, match="mode is 'w'; expected one of 'r', 'a'"):
        VectorIndex.open(small.index.folder, "w")  # type: ignore[arg-type]


def test_create_where_one_is(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FolderError, match="already holds an index; add to it with"):
        VectorIndex.create(small.index.folder, settings())
    small.index.close()
    checks = iter([lambda _: None, row_index.check_free])  # as if another process had created it meanwhile
    monkeypatch.setattr(row_index, "check_free", lambda folder: next(checks)(folder))
    with pytest.raises(FolderError, match="already holds an index; add to it with"):
        VectorIndex.create(small.index.folder, settings())
    VectorIndex.open(small.index.folder, "a").close()
    check_all(small)


def test_threads_search_while_others_write(small: Small) -> None:
    stop, wrong = threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            snapshot = small.index.snapshot
            for seed in range(20):
                row = int(snapshot.find([encoded_id(seed)])[0])
                if snapshot.text(row) != str(seed) or (snapshot.vectors(np.array([row]))[0] != vector(seed)).any():
                    wrong.append(seed)

    def write(first: int) -> None:
        for seed in range(first, first + 40):
            small.index.append(rows_of([(seed, str(seed), {"odd": seed % 2})], small.index.snapshot.layout))

    searching = [threading.Thread(target=search) for _ in range(2)]
    writing = [threading.Thread(target=write, args=(first,)) for first in (100, 200, 300)]
    for thread in (*searching, *writing):
        thread.start()
    for thread in writing:
        thread.join()
    small.index.compact()
    stop.set()
    for thread in searching:
        thread.join()
    assert not wrong
    assert {small.index.snapshot.id(row) for row in small.index.snapshot.rows().tolist()} == {
        *range(20), *range(100, 140), *range(200, 240), *range(300, 340),
    }  # fmt: skip
