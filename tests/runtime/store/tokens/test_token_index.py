"""The multi-vector index: its content after every kind of change, its codec, and what is found in it."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, FolderError
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.rows import snapshot as row_snapshot
from edge_st_runtime.store.rows.index import MANIFEST
from edge_st_runtime.store.rows.snapshot import SearchOptions, encoded_id
from edge_st_runtime.store.segment_folder import CODEC, listed
from edge_st_runtime.store.tokens.index import TokenIndex
from tests.support.damage import replace_columns, rewrite
from tests.support.small_tokens import decoded, maxsim_of, token_vectors
from tests.support.small_vectors import Small, check, files_of, rows_of, settings

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def small(tmp_path: Path) -> Small:
    found = Small.of_tokens(tmp_path / "index")
    found.append(20)
    return found


def check_all(small: Small) -> None:
    """Check the writer's snapshot and a reader's, and that no unlisted file is left."""
    check(small.index.snapshot, small.held)
    reader = small.open()
    check(reader.snapshot, small.held)
    reader.verify()
    assert files_of(small) - {".lock"} == {MANIFEST} | {entry["name"] for entry in listed(reader._manifest)}


def codec_of(small: Small) -> Any:
    return json.loads((small.index.folder / MANIFEST).read_text()).get(CODEC)


@pytest.mark.parametrize(("precision", "texts"), [("int8", True), ("int4", False), ("int2", True)])
def test_changes(tmp_path: Path, precision: str, texts: bool) -> None:
    small = Small.of_tokens(tmp_path, precision, texts)
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
    small = Small.of_tokens(tmp_path)
    for step in range(100):
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
        if step % 20 == 0:
            check_all(small)
    check_all(small)
    assert len(small.index.snapshot.segments) < 30


def test_the_codec_comes_with_the_first_token_and_stays(tmp_path: Path) -> None:
    small = Small.of_tokens(tmp_path)
    assert codec_of(small) is None
    for _ in range(2):
        small.append(1, ["empty"])  # the text "0" has no token
        small.added = 0
    assert codec_of(small) is None
    assert small.index.statistics()["tokens"] == 0
    check_all(small)
    small.append(20)
    first = codec_of(small)
    assert first["name"] in files_of(small)
    small.append(30)
    small.delete(*small.held)
    small.index.compact()
    small.append(12)
    assert codec_of(small) == first
    check_all(small)


def test_codes_are_copied_when_segments_are_merged(small: Small) -> None:
    """They are not decoded and encoded again, which would round them again."""
    before = {found: decoded(small.index.snapshot, row) for row, found in enumerate(small.held)}
    small.delete(2, 3)
    small.index.compact()
    for row, found in enumerate(small.held):
        np.testing.assert_array_equal(decoded(small.index.snapshot, row), before[found])


def test_another_codec_comes_with_a_migration(small: Small) -> None:
    first = codec_of(small)
    target = small.index.start_migration({**small.index.settings, "similarity": "meanmaxsim"})
    known = [(found, str(seed), {"odd": seed % 2}) for found, seed in small.held.items()]
    target.append(rows_of(known, target.snapshot.layout))
    assert codec_of(small) == first
    small.index.finish_migration(target)
    assert codec_of(small)["name"] != first["name"]
    assert first["name"] not in files_of(small)
    check_all(small)


def test_one_query_is_found_what_it_is_among_several(small: Small) -> None:
    small.append(200)
    queries = [token_vectors(seed) for seed in range(40)]
    scores, rows = small.index.snapshot.search(queries, 7)
    for query, own_scores, own_rows in zip(queries, scores, rows, strict=True):
        alone = small.index.snapshot.search([query], 7)
        np.testing.assert_array_equal(alone[0][0], own_scores)
        np.testing.assert_array_equal(alone[1][0], own_rows)


def test_rows_with_equal_vectors_are_in_the_order_of_adding(small: Small) -> None:
    known = [(f"same {place}", "14", {"odd": 0}) for place in range(30)]
    for at in range(0, 30, 10):
        small.index.append(rows_of(known[at : at + 10], small.index.snapshot.layout))
    _, rows = small.index.snapshot.search([token_vectors(14)], 31)
    assert [small.index.snapshot.id(row) for row in rows[0].tolist()] == [14, *(found for found, *_ in known)]


@pytest.mark.parametrize("few", [True, False])
def test_search_options(tmp_path: Path, few: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not few:
        monkeypatch.setattr(row_snapshot, "_FEW_ROWS", 0)
    small = Small.of_tokens(tmp_path)
    for count in (10, 30, 2):
        small.append(count)
    small.delete(4)
    snapshot, query = small.index.snapshot, token_vectors(4)
    wanted = [seed for seed in small.held if seed % 3]
    rows = snapshot.find([encoded_id(found) for found in wanted])
    scores = {
        seed: maxsim_of(query, decoded(snapshot, int(snapshot.find([encoded_id(seed)])[0])))
        for seed in small.held
        if seed % 5
    }

    def best(ids: list[int], least: float = -np.inf) -> list[int]:
        kept = [found for found in ids if scores.get(found, -np.inf) >= least and found in scores]
        return sorted(kept, key=lambda found: (-scores[found], found))[:5]

    def found(wanted: SearchOptions) -> list[Any]:
        return [snapshot.id(row) for row in snapshot.search([query], 5, wanted)[1][0].tolist() if row >= 0]

    odd = [seed for seed in wanted if seed % 2]
    assert found(SearchOptions(rows=rows)) == best(wanted)
    assert found(SearchOptions(lambda metadata: metadata["odd"], rows)) == best(odd)
    assert found(SearchOptions(lambda _: False, rows)) == []
    assert found(SearchOptions(lambda _: False)) == []
    assert found(SearchOptions(rows=rows[:0])) == []
    for least in (0.0, 2.0, 1e9):
        assert found(SearchOptions(rows=rows, threshold=least)) == best(wanted, least)
        assert found(SearchOptions(threshold=least)) == best(list(small.held), least)


def test_the_mean_is_over_the_tokens_of_the_query(small: Small) -> None:
    queries = [token_vectors(3), token_vectors(4)[:1], token_vectors(0)]
    scores, rows = small.index.snapshot.search(queries, 5)
    means, same = small.index.snapshot.search(queries, 5, mean=True)
    np.testing.assert_array_equal(rows, same)
    np.testing.assert_allclose(means[:2], scores[:2] / np.array([[3], [1]]), rtol=1e-6)
    least = float(means[0, 2])
    _, kept = small.index.snapshot.search(queries[:1], 5, SearchOptions(threshold=least), mean=True)
    assert kept[0].tolist() == [*rows[0, :3].tolist(), -1, -1]


def test_statistics(small: Small) -> None:
    small.delete(0, 1)
    found = small.index.statistics()
    assert (found["rows"], found["deleted"], found["tokens"]) == (18, 2, 40)
    assert found["bytes"] == sum(path.stat().st_size for path in small.index.folder.glob("segment-*"))
    assert found["bytes_per_token"] == small.index.snapshot.layout.codec.bytes_per_token


def test_the_kinds_are_told_apart(small: Small, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"was not written by Index; open it with MultiVectorIndex\.open"):
        VectorIndex.open(small.index.folder)
    VectorIndex.create(tmp_path / "dense", settings()).close()
    with pytest.raises(FolderError, match=r"was not written by MultiVectorIndex; open it with Index\.open"):
        TokenIndex.open(tmp_path / "dense")
    with pytest.raises(FolderError, match=r"already holds an index; add to it with Index\.open\(path, mode='a'\)"):
        TokenIndex.create(tmp_path / "dense", settings())


def test_a_manifest_that_does_not_fit_its_segments(small: Small) -> None:
    manifest = small.index.folder / MANIFEST
    whole = manifest.read_bytes()

    def refused(message: str) -> None:
        with pytest.raises(DamagedFileError, match=message):
            small.open()
        manifest.write_bytes(whole)

    rewrite(manifest, lambda found: found["settings"].update(precision="float32"))
    refused("precision is 'float32'; expected one of 'int8', 'int4', 'int2'")
    rewrite(manifest, lambda found: found["settings"].update(similarity="dot"))
    refused("similarity is 'dot'; expected one of 'maxsim', 'meanmaxsim'")
    rewrite(manifest, lambda found: found.pop(CODEC))
    refused("the segment has token vectors, but the index has no codec")
    rewrite(manifest, lambda found: found[CODEC].update(sha256="0" * 64))
    refused(r"segment-\w+\.safetensors has sha256")
    rewrite(manifest, lambda found: found.update(codec=found["segments"][0]))
    refused("expected a file that is listed once")
    replace_columns(manifest, token_ends=np.arange(20, dtype=np.int64))
    refused(r"the segment holds \d+ numbers for")
    replace_columns(manifest, token_ends=np.arange(20, dtype=np.int64)[::-1].copy())
    refused("the segment's token_ends do not ascend")


def test_threads_search_while_others_write(small: Small) -> None:
    stop, wrong = threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            snapshot = small.index.snapshot
            for seed in (4, 9, 14):
                _, rows = snapshot.search([token_vectors(seed)], 1)
                if snapshot.text(int(rows[0, 0])) != str(seed):
                    wrong.append(seed)

    def write(first: int) -> None:
        for seed in range(first, first + 30):
            small.index.append(rows_of([(seed, str(seed), {"odd": seed % 2})], small.index.snapshot.layout))

    searching = [threading.Thread(target=search) for _ in range(2)]
    writing = [threading.Thread(target=write, args=(first,)) for first in (100, 200)]
    for thread in (*searching, *writing):
        thread.start()
    for thread in writing:
        thread.join()
    small.index.compact()
    stop.set()
    for thread in searching:
        thread.join()
    assert not wrong
    assert len(small.index.snapshot) == 80
