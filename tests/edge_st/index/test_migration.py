"""Moving an index to another model: what is encoded, what others find meanwhile, and where it is interrupted."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from edge_st_runtime.errors import DamagedFileError, FolderError, InputError, OptionError
from edge_st_runtime.store.rows import index as row_index
from tests.support.indexed import TEXTS, Counted, check, exact, ids_of, names
from tests.support.tiny_models import MEAN, TinyModel

pytestmark = pytest.mark.usefixtures("quick_disk")
MANY = [f"{text} {number}" for number in range(7) for text in TEXTS]


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture
def other(tiny_folder: Path) -> Counted:
    return Counted(tiny_folder, backend="onnx")


def check_search(index: Index, model: SentenceTransformer, texts: list[str]) -> None:
    for query in ("fruit", "kitten"):
        hits, expected = index.search(query, top_k=5), exact(model, texts, query, 5)
        np.testing.assert_allclose([hit["score"] for hit in hits], [score for _, score in expected], atol=1e-5)


@pytest.mark.parametrize(("precision", "rescore"), [("float32", None), ("int8", "float32"), ("float16", None)])
def test_migrate(
    tmp_path: Path, tiny_folder: Path, model: SentenceTransformer, other: Counted, precision: str, rescore: str | None
) -> None:
    index = Index.build(model, TEXTS, tmp_path / "x", precision=precision, rescore=rescore, metadata=[{"a": 1}] * 384)
    index.delete([5])
    plain = SentenceTransformer(tiny_folder, backend="onnx")
    reader = Index.open(tmp_path / "x", model=model)
    before = reader.search("fruit")
    index.migrate(other)
    assert len(other.documents) == 383
    assert reader.search("fruit") == before
    expected = {place: text for place, text in enumerate(TEXTS) if place != 5}
    for each in (index, Index.open(tmp_path / "x", model=other)):
        check(each, expected)
        if precision != "float16":
            check_search(each, plain, list(expected.values()))
    assert index.info()["dim"] == other.get_embedding_dimension()
    assert index.info()["precision"] == precision
    assert index.get([0])[0]["metadata"] == {"a": 1}
    assert names(tmp_path / "x") == {".lock", "index.json", index._store._manifest["segments"][0]["name"]}
    index.add(["new"])
    assert ids_of(index.search("new", ids=[384])) == [384]
    index.migrate(other)
    assert len(other.documents) == 384


def test_a_reader_does_not_mix_two_models(tmp_path: Path, model: SentenceTransformer, other: Counted) -> None:
    index = Index.build(model, TEXTS, tmp_path / "x")
    reader, without = Index.open(tmp_path / "x", model=model), Index.open(tmp_path / "x")
    before = reader.search("fruit")
    index.migrate(other)
    for _ in range(2):
        with pytest.raises(OptionError, match=r"was built with .* \(fingerprint \w+\), the model given is static-all"):
            reader.refresh()
        assert reader.search("fruit") == before
    assert without.refresh()
    assert without.search(other.encode_query("fruit")) == index.search("fruit")


@pytest.mark.parametrize("stop_after", [0, 1024, 2048])
def test_it_goes_on_where_it_was_interrupted(
    tmp_path: Path, model: SentenceTransformer, other: Counted, stop_after: int
) -> None:
    index = Index.build(model, MANY, tmp_path / "x", metadata=[{"n": place} for place in range(len(MANY))])
    other.stop_after = stop_after
    for _ in range(2):
        with pytest.raises(InputError, match="stopped"):
            index.migrate(other)
        check_search(index, model, MANY)
        assert len(other.documents) == stop_after
    index.update([0, 3], ["changed", MANY[3]], [{"n": 0}, {"n": "new"}])
    index.delete([1])
    index.add(["new"])
    index.close()
    reader = Index.open(tmp_path / "x", model=model)
    index, other.stop_after = Index.open(tmp_path / "x", "a", model), None
    index.migrate(other)
    expected = dict(enumerate(MANY)) | {len(MANY) + 2: "new"}
    del expected[0], expected[1], expected[3]
    if not stop_after:
        check(index, expected | {0: "changed", 3: MANY[3]})
    assert {row["text"] for row in index.get([0, 3, len(MANY) + 2])} == {"changed", MANY[3], "new"}
    assert index.get([3])[0]["metadata"] == {"n": "new"}
    assert len(index) == len(MANY)
    assert 1 not in index
    texts = {row["text"] for row in index.get([*expected, 0, 3])}
    in_vain = {MANY[0], MANY[1]} if stop_after else set()
    assert sorted(other.documents) == sorted(texts | in_vain)
    assert len(reader) == len(MANY)
    check_search(reader, model, [row["text"] for row in reader.get(ids_of(reader.search("fruit", len(reader))))])


def test_another_model_than_the_one_that_was_interrupted(
    tmp_path: Path, model: SentenceTransformer, other: Counted
) -> None:
    index = Index.build(model, MANY, tmp_path / "x")
    other.stop_after = 1024
    with pytest.raises(InputError, match="stopped"):
        index.migrate(other)
    third = Counted(truncate_dim=32)
    index.migrate(third)
    assert len(third.documents) == len(MANY)
    assert index.info()["dim"] == 32
    check_search(index, third, MANY)
    assert len(names(tmp_path / "x")) == 2 + index.info()["segments"]


def test_the_same_model_encodes_nothing(tmp_path: Path, model: SentenceTransformer) -> None:
    index, same = Index.build(model, TEXTS, tmp_path / "x"), Counted()
    index.migrate(same)
    assert not same.documents
    check_search(index, model, TEXTS)


def test_refusals(tmp_path: Path, model: SentenceTransformer, other: Counted) -> None:
    index = Index.build(model, TEXTS[:3], tmp_path / "x", store_texts=False)
    with pytest.raises(OptionError, match="keeps no texts to encode again; build a new index from the texts"):
        index.migrate(other)
    wrong: Any
    for wrong, message in (
        (None, "model is None; expected the"),
        (5, r"model is int \(5\); expected a SentenceTransformer"),
    ):
        with pytest.raises(OptionError, match=message):
            index.migrate(wrong)
    folder = TinyModel(modules=(MEAN,), settings={"similarity_fn_name": "euclidean"}).save(tmp_path / "far")
    far = Counted(folder, backend="onnx")
    codes = Index.build(model, TEXTS[:3], tmp_path / "codes", precision="int8")
    with pytest.raises(OptionError, match="compares by euclidean, int8 and binary by cosine or dot product"):
        codes.migrate(far)
    assert not far.documents
    assert names(tmp_path / "codes") == {".lock", "index.json"} | {
        path.name for path in (tmp_path / "codes").glob("segment-*")
    }
    check(codes, dict(enumerate(TEXTS[:3])), model)


def test_from_embeddings_to_a_model(tmp_path: Path, model: SentenceTransformer) -> None:
    vectors = np.random.default_rng(0).standard_normal((len(TEXTS), 7))
    index = Index.build(None, TEXTS, tmp_path / "x", embeddings=vectors)
    index.migrate(model)
    check_search(index, model, TEXTS)


def test_a_full_disk_at_the_end(
    tmp_path: Path, model: SentenceTransformer, other: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one stays, and nothing is encoded again."""

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    index = Index.build(model, TEXTS, tmp_path / "x")
    with monkeypatch.context() as patch:
        patch.setattr(row_index, "replace", full)
        with pytest.raises(FolderError, match=r"cannot write to .*No space left"):
            index.migrate(other)
    check_search(index, model, TEXTS)
    check_search(Index.open(tmp_path / "x", model=model), model, TEXTS)
    index.migrate(other)
    assert len(other.documents) == len(TEXTS)
    check_search(index, other, TEXTS)


def test_searches_and_additions_of_other_threads(tmp_path: Path, model: SentenceTransformer, other: Counted) -> None:
    """A search finds by the one model or by the other, and what is added meanwhile is there at the end."""
    index = Index.build(model, MANY, tmp_path / "x")
    stop, found = threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            found.append(index.search("fruit", top_k=5))

    def add() -> None:
        for number in range(30):
            index.add([f"new {number}"], [f"new {number}"])

    threads = [threading.Thread(target=search), threading.Thread(target=add)]
    old = index.search("fruit", top_k=5, ids=range(len(MANY)))
    for thread in threads:
        thread.start()
    index.migrate(other)
    threads[1].join()
    found.append(index.search("fruit", top_k=5))
    stop.set()
    threads[0].join()
    assert [f"new {number}" in index for number in range(30)] == [True] * 30
    assert len(index) == len(MANY) + 30
    new = index.search("fruit", top_k=5, ids=range(len(MANY)))
    best = {tuple(hit["score"] for hit in hits if type(hit["corpus_id"]) is int)[:3] for hits in (old, new)}
    assert {tuple(hit["score"] for hit in hits if type(hit["corpus_id"]) is int)[:3] for hits in found} <= {
        scores[:length] for scores in best for length in (0, 1, 2, 3)
    }


def test_a_damaged_file_is_not_moved_along(tmp_path: Path, model: SentenceTransformer, other: Counted) -> None:
    index = Index.build(model, TEXTS[:30], tmp_path / "x")
    (path,) = (tmp_path / "x").glob("segment-*")
    content = bytearray(path.read_bytes())
    place = content.rindex(TEXTS[7].encode())
    content[place] ^= 1
    path.write_bytes(content)
    for change in (lambda: index.migrate(other), index.compact):
        with pytest.raises(DamagedFileError, match="has sha256"):
            change()
    assert other.documents == []
    assert index.info()["model"]["fingerprint"] == model.fingerprint
    index.close()
