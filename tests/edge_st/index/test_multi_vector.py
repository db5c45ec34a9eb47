"""MultiVectorIndex: rows are found by MaxSim of their token vectors, and live as those of Index."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import Index, MultiVectorEncoder, MultiVectorIndex, Retriever
from edge_st_runtime.errors import FolderError, InputError, OptionError
from tests.support.tiny_models import TinyModel
from tests.support.tiny_multi_vector import ALL_OF_A_DOT, dense_weight, save_multi_vector
from tests.support.tiny_tokenizers import random_texts

pytestmark = pytest.mark.usefixtures("quick_disk")
TEXTS = [f"{text} {place}" for place, text in enumerate(random_texts(60, longest=18, seed=4))]
METADATA = [{"place": place, "third": place % 3 == 0} for place in range(len(TEXTS))]
QUERIES = ["the quick brown fox", "small boats on the sea", "nobody remembers who painted the old green door"]
#: how far scores of stored vectors are from those of the model's own
NEAR = 0.05


class Counted(MultiVectorEncoder):
    """``documents`` are the texts that it was given to encode."""

    def __init__(self, *arguments: Any, stop_after: int | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.documents: list[str] = []
        self.stop_after = stop_after

    def encode_document(self, inputs: Any = None, *arguments: Any, **options: Any) -> Any:
        """Raises InputError where more than ``stop_after`` texts would be encoded."""
        if self.stop_after is not None and len(self.documents) + len(inputs) > self.stop_after:
            raise InputError("stopped")
        self.documents += inputs
        return super().encode_document(inputs, *arguments, **options)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model, one of other weights and of the mean, and one that leaves nothing of "."."""
    place = tmp_path_factory.mktemp("models")
    tiny = TinyModel().save(place / "tiny")
    return {
        "first": save_multi_vector(place / "first", tiny),
        "mean": save_multi_vector(place / "mean", tiny, weight=dense_weight(seed=9), similarity="meanmaxsim"),
        "skips": save_multi_vector(
            place / "skips",
            tiny,
            skiplist_words=ALL_OF_A_DOT,
            skiplist_tasks=["query", "document"],
            query_expansion=None,
        ),
        "dense": tiny,
    }


@pytest.fixture
def model(folders: dict[str, Path]) -> Counted:
    return Counted(folders["first"])


@pytest.fixture
def index(model: Counted, tmp_path: Path) -> Iterator[MultiVectorIndex]:
    with MultiVectorIndex.build(model, TEXTS[:40], tmp_path / "x", metadata=METADATA[:40], precision="int8") as found:
        yield found


def ids_of(hits: list[dict[str, Any]]) -> list[Any]:
    return [hit["corpus_id"] for hit in hits]


def check(index: MultiVectorIndex, held: dict[Any, str], model: MultiVectorEncoder) -> None:
    """It holds these texts by id, in order of adding, and scores them as the model scores their own vectors."""
    assert len(index) == len(held)
    assert index.ids() == list(held)
    assert [row["text"] for row in index.get(list(held))] == list(held.values())
    scores = model.similarity(model.encode_query(QUERIES), model.encode_document(list(held.values())))
    for own, hits in zip(scores, index.search(QUERIES, top_k=len(held)), strict=True):
        found = {hit["corpus_id"]: hit["score"] for hit in hits}
        assert found == pytest.approx(dict(zip(held, own.tolist(), strict=True)), abs=NEAR * 12)
        assert list(found.values()) == sorted(found.values(), reverse=True)


def test_the_whole_life(index: MultiVectorIndex, model: Counted) -> None:
    held: dict[Any, str] = dict(enumerate(TEXTS[:40]))
    index.add(TEXTS[40:45])
    index.add(TEXTS[45:47], ["x", 1000], [{"a": 1}, None])
    held |= dict(enumerate(TEXTS[40:45], 40)) | {"x": TEXTS[45], 1000: TEXTS[46]}
    check(index, held, model)
    index.update([3, "x"], ["changed", "also"])
    del held[3], held["x"]
    held |= {3: "changed", "x": "also"}
    check(index, held, model)
    assert index.get(["x"]) == [{"corpus_id": "x", "text": "also", "metadata": {"a": 1}}]
    index.delete([0, 1000])
    del held[0], held[1000]
    index.compact()
    check(index, held, model)
    index.verify()
    assert (index.info()["deleted"], index.info()["segments"]) == (0, 1)
    index.close()
    reader = MultiVectorIndex.open(index.info()["path"], model=model)
    check(reader, held, model)
    assert reader.find([3, "gone"])[1] is None
    with MultiVectorIndex.open(index.info()["path"], "a", model) as again:
        again.add(["one more"])
    assert reader.refresh()
    check(reader, held | {49: "one more"}, model)


def test_a_known_text_is_not_encoded_again(index: MultiVectorIndex, model: Counted) -> None:
    model.documents.clear()
    index.delete([5])
    texts = [TEXTS[3], "new", TEXTS[5], "other"]
    index.add(texts, ["a", "b", "c", "d"])
    assert model.documents == ["new", "other"]
    check(
        index,
        {
            **{place: text for place, text in enumerate(TEXTS[:40]) if place != 5},
            **dict(zip("abcd", texts, strict=True)),
        },
        model,
    )


def test_texts_from_iterators(model: Counted, tmp_path: Path) -> None:
    count = 1030
    with MultiVectorIndex.build(
        model, (TEXTS[place % 60] for place in range(count)), tmp_path / "x", (f"i{place}" for place in range(count))
    ) as index:
        assert len(index) == count
        assert len(model.documents) == 1024
        assert index.get(["i1029"])[0]["text"] == TEXTS[1029 % 60]


def test_one_query_finds_what_it_finds_among_several(index: MultiVectorIndex, model: Counted) -> None:
    assert index.search([]) == []
    vectors = model.encode_query(QUERIES)
    assert index.search(QUERIES) == index.search(vectors)
    assert ids_of(index.search(QUERIES[0], 3)) == ids_of(index.search(QUERIES, 3)[0])
    assert index.search(vectors, 3) == [index.search(each, 3) for each in vectors]
    assert index.search(np.stack([vectors[0], vectors[0]]), 3) == [index.search(vectors[0], 3)] * 2


def test_threads_find_the_same(index: MultiVectorIndex) -> None:
    expected, found = index.search(QUERIES), []
    threads = [threading.Thread(target=lambda: found.append(index.search(QUERIES))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_restricted_searches(index: MultiVectorIndex) -> None:
    every = index.search(QUERIES[0], top_k=40)
    assert len(every) == 40
    assert index.search(QUERIES[0], 40, {"third": True}) == [hit for hit in every if hit["metadata"]["third"]]
    assert index.search(QUERIES[0], 40, lambda metadata: metadata["place"] > 35) == [
        hit for hit in every if hit["corpus_id"] > 35
    ]
    assert index.search(QUERIES[0], 40, ids=[7, 1, 39]) == [hit for hit in every if hit["corpus_id"] in (7, 1, 39)]
    least = every[4]["score"]
    assert index.search(QUERIES[0], 40, score_threshold=least) == every[:5]
    assert index.search(QUERIES[0], 2, candidates=40) == every[:2]


def test_token_vectors_without_a_model(model: Counted, tmp_path: Path) -> None:
    vectors = model.encode_document(TEXTS[:20])
    with MultiVectorIndex.build(None, None, tmp_path / "x", embeddings=vectors, precision="int8") as index:
        index.add(None, embeddings=np.zeros((2, 3, 8)))
        index.update([20], None, embeddings=[vectors[1]])
        (hit, *_) = index.search(vectors[7], top_k=1)
        assert (hit["corpus_id"], "text" in hit) == (7, False)
        assert hit["score"] == pytest.approx(len(vectors[7]), abs=NEAR * len(vectors[7]))
        assert ids_of(index.search(vectors[1], top_k=2)) == [1, 20]
        with pytest.raises(OptionError, match="built from embeddings alone, without a model"):
            index.search("text")
        assert (index.info()["model"], index.info()["similarity"]) == (None, "maxsim")


def test_a_text_of_skipped_tokens_alone_is_stored_and_never_found(folders: dict[str, Path], tmp_path: Path) -> None:
    with MultiVectorIndex.build(folders["skips"], ["."], tmp_path / "x") as index:
        assert index.search("the quick fox") == []
        index.add(["the quick fox", "-", "a lazy dog"])
        assert index.get([0, 2])[0]["text"] == "."
        assert sorted(ids_of(index.search("the quick fox"))) == [1, 3]
        index.compact()
        assert sorted(ids_of(index.search("the quick fox"))) == [1, 3]
        assert index.info()["rows"] == 4


def test_a_query_of_skipped_tokens_alone_finds_nothing_and_says_so(
    folders: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with MultiVectorIndex.build(folders["skips"], ["the quick fox", "a lazy dog"], tmp_path / "x") as index:
        assert len(index.search("the fox")) == 2
        assert not caplog.records
        with caplog.at_level(logging.WARNING):
            assert index.search(".") == []
            assert [len(hits) for hits in index.search(["the dog", ". - '"])] == [2, 0]
        said = [record.getMessage() for record in caplog.records if record.name.startswith("edge_st.index")]
        assert said == [
            f"{many} of {of} queries, the first at position {place}, have no token that is not skipped, so they find "
            "nothing"
            for many, of, place in ((1, 1, 0), (1, 2, 1))
        ]


def test_scores_are_the_mean_where_the_model_says_so(folders: dict[str, Path], tmp_path: Path) -> None:
    model = MultiVectorEncoder(folders["mean"])
    with MultiVectorIndex.build(model, TEXTS[:20], tmp_path / "x", precision="int8") as index:
        (hit, *_) = index.search(QUERIES[0])
        expected = model.similarity(model.encode_query([QUERIES[0]]), model.encode_document(TEXTS[:20]))[0]
        assert hit["score"] == pytest.approx(float(expected.max()), abs=NEAR)


def test_migration_to_another_model(
    index: MultiVectorIndex, model: Counted, folders: dict[str, Path], tmp_path: Path
) -> None:
    held = dict(enumerate(TEXTS[:40]))
    other = Counted(folders["mean"])
    before = index.search(QUERIES)
    other.stop_after = 10
    with pytest.raises(InputError, match="stopped"):
        index.migrate(other)
    assert index.search(QUERIES) == before
    other.stop_after = None
    index.migrate(other)
    assert index.info()["similarity"] == "meanmaxsim"
    check(index, held, other)
    index.close()
    with pytest.raises(OptionError, match=r"was built with .*mean .* the model given is .*first .* differ in modules"):
        MultiVectorIndex.open(tmp_path / "x", model=model)
    check(MultiVectorIndex.open(tmp_path / "x", model=other), held, other)


def test_the_other_kind_is_named(index: MultiVectorIndex, folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"was not written by Index; open it with MultiVectorIndex\.open"):
        Index.open(index.info()["path"])
    Index.build(None, None, tmp_path / "dense", embeddings=np.eye(3)).close()
    with pytest.raises(FolderError, match=r"was not written by MultiVectorIndex; open it with Index\.open"):
        MultiVectorIndex.open(tmp_path / "dense")
    with pytest.raises(FolderError, match=r"is a MultiVectorEncoder, not a SentenceTransformer; open it with"):
        Index.build(folders["first"], ["a"], tmp_path / "new")
    with pytest.raises(FolderError, match=r"is a SentenceTransformer, not a MultiVectorEncoder; open it with"):
        MultiVectorIndex.build(folders["dense"], ["a"], tmp_path / "new")
    with pytest.raises(OptionError, match="expected a MultiVectorEncoder, or a folder or name of one"):
        index.migrate(5)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_what_it_says_of_itself(index: MultiVectorIndex, model: Counted, tmp_path: Path) -> None:
    info = index.info()
    assert (info["rows"], info["dim"], info["similarity"]) == (40, 8, "maxsim")
    assert info["tokens"] == sum(map(len, model.encode_document(TEXTS[:40])))
    assert info["model"]["fingerprint"] == model.fingerprint
    assert repr(index) == f"MultiVectorIndex({str(tmp_path / 'x')!r}, 40 rows, {info['precision']}, 8 dim)"
    assert 3 in index
    assert "3" not in index


def test_a_retriever_fuses_token_vectors_with_words(folders: dict[str, Path]) -> None:
    model = MultiVectorEncoder(folders["skips"])
    alone, fused = Retriever(multi_vector=model), Retriever(None, "bm25", None, folders["skips"])
    texts = [*TEXTS[:20], ". - ."]
    for each in (alone, fused):
        each.add(texts)
    scores = model.similarity(model.encode_query([QUERIES[0]]), model.encode_document(TEXTS[:20]))[0]
    found = alone.search(QUERIES[0], top_k=30)
    assert ids_of(found) == np.argsort(-scores, kind="stable").tolist()
    assert [hit["score"] for hit in found] == pytest.approx(np.sort(scores)[::-1].tolist(), rel=1e-5)
    assert alone.search(". .") == []
    words = Retriever(None, "bm25")
    words.add(texts)
    ranks = [
        {place: rank for rank, place in enumerate(ids_of(each.search(QUERIES[0], 100)), 1)} for each in (alone, words)
    ]
    fusion = {place: sum(1 / (60 + rank[place]) for rank in ranks if place in rank) for place in {*ranks[0], *ranks[1]}}
    assert {hit["corpus_id"]: hit["score"] for hit in fused.search(QUERIES[0], 30)} == pytest.approx(fusion)
