"""Adding, changing and deleting: what is there afterwards, what is encoded for it, and ids, texts and metadata."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import Index
from edge_st_runtime.errors import InputError, InputTypeError, OptionError
from tests.support.indexed import TEXTS, Counted, check, ids_of

pytestmark = pytest.mark.usefixtures("quick_disk")
ODD_TEXTS = [
    "", "\0", " ", "\n\t", "🙂👩‍👩‍👧", "ما هذا", "\u00e9", "e\u0301", "\u202e", "x" * 200_000, "NULL", "a\0b",
]  # fmt: skip
ODD_IDS = [
    100, "100", -1, "-1", 10**30, "", "\0", "🙂", "i" * 100_000, "1", "null", '"', 2**63, "\u00e9", "e\u0301",
]  # fmt: skip
KINDS = [
    {}, {"a": None, "b": True, "c": False, "d": 0, "e": -1.5, "f": "", "g": [], "h": {}}, {"": {"": [[{}]]}},
    {"deep": [1, [2, [3, {"x": [None]}]]]}, {"🙂": "\0"}, {"big": 10**40, "small": 1e-300}, {"a": [1, "1", 1.0]},
]  # fmt: skip


@pytest.fixture
def model() -> Counted:
    return Counted()


@pytest.fixture
def index(model: Counted, tmp_path: Path) -> Iterator[Index]:
    with Index.build(model, TEXTS[:20], tmp_path / "index") as found:
        yield found


def held(first: int, last: int) -> dict[Any, str]:
    return {place: TEXTS[place] for place in range(first, last)}


def reopened(index: Index, model: Counted | None = None) -> Index:
    index.close()
    return Index.open(index.info()["path"], "a", model)


def test_the_whole_life(index: Index, model: Counted) -> None:
    expected = held(0, 20)
    index.add(TEXTS[20:25])
    index.add(TEXTS[25:27], ["x", 1000], [{"a": 1}, None])
    expected |= held(20, 25) | {"x": TEXTS[25], 1000: TEXTS[26]}
    check(index, expected, model)
    index.update([3, "x"], ["changed", "also"])
    del expected[3], expected["x"]
    expected |= {3: "changed", "x": "also"}
    check(index, expected, model)
    assert index.get(["x"])[0]["metadata"] == {"a": 1}
    index.update(["x"], ["again"], [{"b": 2}])
    assert index.get(["x"]) == [{"corpus_id": "x", "text": "again", "metadata": {"b": 2}}]
    index.delete([0, 1000])
    expected["x"] = "again"
    del expected[0], expected[1000]
    check(index, expected, model)
    index.compact()
    check(index, expected, model)
    assert index.info()["deleted"] == 0
    assert 3 in index
    assert 0 not in index
    index = reopened(index, model)
    check(index, expected, model)
    index.add(["counted on"])
    (hit,) = index.search("counted on", top_k=1)
    assert hit["corpus_id"] == 30
    index.close()


def test_a_known_text_is_not_encoded_again(index: Index, model: Counted) -> None:
    model.documents.clear()
    index.add([TEXTS[3], "new", TEXTS[5], "new", "other"])
    assert sorted(set(model.documents)) == sorted(model.documents) == ["new", "other"]
    index.delete([3, 20])
    index.update([5], [TEXTS[6]])
    index.update([6], ["new"])
    index.add([TEXTS[3], TEXTS[5]])
    index.add(iter([TEXTS[1], "new"]))
    assert len(model.documents) == 2
    index.compact()
    index = reopened(index, model)
    index.add(["other", TEXTS[3]])
    assert len(model.documents) == 2
    for row in index.search([TEXTS[3], "new", "other", TEXTS[6]], top_k=1):
        assert row[0]["score"] == pytest.approx(1, abs=1e-5)
    index.close()


def test_one_text_many_times_in_one_call(tmp_path: Path, model: Counted) -> None:
    """Also where it comes in portions."""
    texts = [TEXTS[place % 3] for place in range(2500)]
    with Index.build(model, texts, tmp_path / "list"):
        assert sorted(model.documents) == sorted(TEXTS[:3])
    model.documents.clear()
    with Index.build(model, iter(texts), tmp_path / "iterator") as index:
        assert sorted(model.documents) == sorted(TEXTS[:3])
        assert [row["text"] for row in index.get(range(2500))] == texts


def test_copies_of_rows_are_exact(tmp_path: Path, model: Counted) -> None:
    """A text that is known gets the same numbers, in all precisions."""
    for precision, rescore in (("float32", None), ("float16", None), ("int8", "float16"), ("binary", "int8")):
        index = Index.build(
            model, TEXTS[:30], tmp_path / f"{precision}-{rescore}", precision=precision, rescore=rescore
        )
        index.add(["new", *TEXTS[:30:3]])
        snapshot = index._store.snapshot
        known, copied, rows = snapshot.stored(np.arange(0, 30, 3)), snapshot.stored(np.arange(31, 41)), np.arange(10)
        for first, second in ((known.codes, copied.codes), (known.copy, copied.copy)):
            for name, column in first.take(rows).items() if first is not None else ():
                np.testing.assert_array_equal(second.take(rows)[name], column)
        assert (known.copy is None) == (rescore is None)
        index.close()


def test_odd_texts(tmp_path: Path, model: Counted) -> None:
    with Index.build(model, ODD_TEXTS, tmp_path / "x") as index:
        assert [row["text"] for row in index.get(range(len(ODD_TEXTS)))] == ODD_TEXTS
        model.documents.clear()
        index.add(ODD_TEXTS)
        assert not model.documents
        index.compact()
        assert [row["text"] for row in Index.open(tmp_path / "x").get(range(len(ODD_TEXTS)))] == ODD_TEXTS


def test_odd_ids(index: Index) -> None:
    index.add([f"text {place}" for place in range(len(ODD_IDS))], ODD_IDS)
    index.compact()
    for place, found in enumerate(ODD_IDS):
        (row,) = index.get([found])
        assert (row["corpus_id"], type(row["corpus_id"])) == (found, type(found))
        assert row["text"] == f"text {place}"
        assert found in index
    assert index.get(["100"])[0]["text"] != index.get([100])[0]["text"]
    index.delete(["1"])
    assert 1 in index
    assert "1" not in index


def test_numpy_ids(index: Index) -> None:
    ids: Any = np.array([100, 101])
    index.add(["a", "b"], ids)
    assert [row["corpus_id"] for row in index.get(ids)] == [100, 101]
    assert type(index.get(ids)[0]["corpus_id"]) is int
    assert ids[0] in index
    index.update(ids[:1], ["c"])
    index.delete(ids)
    assert 101 not in index
    index.add(["a"], np.array(["text id"]))
    assert "text id" in index


def test_metadata_of_all_kinds(tmp_path: Path, model: Counted) -> None:
    with Index.build(model, TEXTS[: len(KINDS)], tmp_path / "x", metadata=KINDS) as index:
        for each in (index, Index.open(tmp_path / "x")):
            assert [row["metadata"] for row in each.get(range(len(KINDS)))] == KINDS
        index.compact()
        index.add(["more"], metadata=[{"t": (1, 2)}])
        assert index.get([len(KINDS)])[0]["metadata"] == {"t": [1, 2]}


def test_ids_and_metadata_given_as_other_iterables(index: Index) -> None:
    index.add(("a", "b"), (found for found in (50, 51)), ({"n": 1}, {"n": 2}))
    index.update((found for found in (50,)), ["c"])
    assert [row["text"] for row in index.get(found for found in (50, 51))] == ["c", "b"]
    index.delete(found for found in (50, 0))
    assert [found in index for found in (50, 0, 51)] == [False, False, True]


def test_iterators_are_read_as_they_are_encoded(tmp_path: Path, model: Counted) -> None:
    """A portion is in the folder before the next is read."""
    seen = []

    def texts() -> Iterator[str]:
        for place in range(2100):
            if place and place % 1024 == 0:
                seen.append(len(Index.open(tmp_path / "x")))
            yield f"text {place}"

    ids, metadata = (f"id {place}" for place in range(2100)), ({"n": place} for place in range(2100))
    with Index.build(model, texts(), tmp_path / "x", ids, metadata) as index:
        assert (len(index), seen) == (2100, [1024, 2048])
        assert index.get(["id 2099"]) == [{"corpus_id": "id 2099", "text": "text 2099", "metadata": {"n": 2099}}]


@pytest.mark.parametrize("missing", [1, 1000])
@pytest.mark.parametrize("name", ["ids", "metadata"])
def test_iterators_that_end_at_different_places(index: Index, name: str, missing: int) -> None:
    """Nothing is dropped in silence: whole portions are there, and the rest is refused."""
    for given, wrong in ((1500 - missing, f"{name} ended after {1500 - missing}"), (1501, "texts ended after 1500")):
        items = ([f"{given} {n}" for n in range(given)] if name == "ids" else [{}] * given)  # fmt: skip
        before = len(index)
        with pytest.raises(InputError, match=f"{wrong} items, but there are more .*; expected one for each"):
            index.add((f"text {n}" for n in range(1500)), **{name: iter(items)})  # type: ignore[arg-type]
        assert len(index) - before == {1499: 1024, 500: 0, 1501: 1500}[given]


def test_an_iterator_that_fails(index: Index) -> None:
    def texts() -> Iterator[Any]:
        yield from (f"text {place}" for place in range(1030))
        raise OSError("the network is gone")

    with pytest.raises(OSError, match="the network"):
        index.add(texts())
    assert len(index) == 20 + 1024
    with pytest.raises(InputTypeError, match=r"texts\[1\] is int"):
        index.add(iter(["a", 1]))  # type: ignore[arg-type]
    for wrong in ("ab", {"a": 1}, 5):
        with pytest.raises(InputTypeError, match=r"ids is \w+ \(.*\); expected a list or an iterator"):
            index.add(iter(["a", "b"]), wrong)  # type: ignore[arg-type]
    assert len(index) == 20 + 1024


def test_refreshed_readers(index: Index, model: Counted) -> None:
    reader, expected = Index.open(index.info()["path"], model=model), held(0, 20)
    index.add(["new"])
    index.delete([0])
    check(reader, expected, model)
    assert reader.refresh()
    assert not reader.refresh()
    del expected[0]
    check(reader, expected | {20: "new"}, model)
    index.compact()
    check(reader, expected | {20: "new"}, model)
    reader.verify()
    assert reader.refresh()
    check(reader, expected | {20: "new"}, model)


def test_threads_that_add(index: Index, model: Counted) -> None:
    """Each row of each is there, once."""

    def add(name: str) -> None:
        for number in range(10):
            index.add([f"{name} {number}"])

    threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    wrong = [hits for _ in range(20) if ids_of(hits := index.search(TEXTS[7], top_k=1)) != [7]]
    for thread in threads:
        thread.join()
    assert not wrong
    texts = [row["text"] for row in index.get(range(60))]
    assert sorted(texts[20:]) == sorted(f"{name} {number}" for name in "abcd" for number in range(10))


def test_open_to_read(index: Index, model: Counted) -> None:
    reader = Index.open(index.info()["path"], model=model)
    calls: list[Any] = [
        lambda: reader.add(["a"]), lambda: reader.add(iter(["a"])), lambda: reader.update([0], ["a"]),
        lambda: reader.delete([0]), reader.compact, lambda: reader.migrate(model),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(
            OptionError, match=r"this index is open to read; open it to write: Index\.open\(.*mode='a'\)"
        ):
            call()
    index.close()
    with pytest.raises(OptionError, match="open to read"):
        index.add(["a"])
    check(index, held(0, 20), model)
