"""An index against exact search: what is found, in which order, and how it is given."""

import itertools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from tests.support.indexed import QUERIES, TEXTS, exact, ids_of
from tests.support.tiny_models import TinyModel

PRECISIONS = ["float32", "float16", "int8", "binary"]
#: precisions from the coarsest, and each with every finer copy or none
FINENESS = ("binary", "int8", "float16", "float32")
KEPT = [(kept, None) for kept in FINENESS] + list(itertools.combinations(FINENESS, 2))
METADATA = [{"place": place, "third": place % 3 == 0, "words": text.split()} for place, text in enumerate(TEXTS)]
#: of the 10 best of an exact search, how many must be found at least
RECALL = {"float32": 1.0, "float16": 1.0, "int8": 0.97, "binary": 0.9}


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture(scope="module")
def index(model: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory) -> Index:
    with Index.build(model, TEXTS, tmp_path_factory.mktemp("index") / "made", metadata=METADATA) as found:
        return found


@pytest.mark.parametrize(("precision", "rescore"), KEPT)
def test_recall(tmp_path: Path, model: SentenceTransformer, precision: str, rescore: str | None) -> None:
    """Rescored by whole vectors, scores and order are those of the exact search."""
    Index.build(model, TEXTS, tmp_path / "x", precision=precision, rescore=rescore).close()
    index, met = Index.open(tmp_path / "x", model=model), 0
    fine = "float32" in (precision, rescore) and (rescore or precision) == "float32"
    for query, hits in zip(QUERIES, index.search(QUERIES), strict=True):
        expected = dict(exact(model, TEXTS, query))
        met += len(set(ids_of(hits)) & set(expected))
        scores = [hit["score"] for hit in hits]
        assert scores == sorted(scores, reverse=True)
        if fine:
            for hit in hits:
                found = exact(model, [TEXTS[hit["corpus_id"]]], query)[0][1]
                assert hit["score"] == pytest.approx(found, abs=1e-5)
    assert met / len(QUERIES) / 10 >= (RECALL[precision] if rescore or precision != "binary" else 0.35)
    assert index.info()["precision"] == precision
    assert index.info()["rescore"] == rescore


@pytest.mark.parametrize("precision", ["int8", "binary"])
def test_more_candidates_find_more(tmp_path: Path, model: SentenceTransformer, precision: str) -> None:
    index = Index.build(model, TEXTS, tmp_path / "x", precision=precision, rescore="float32")
    for query in QUERIES[:-1]:
        hits = index.search(query, rescore_multiplier=len(TEXTS))
        np.testing.assert_allclose(
            [hit["score"] for hit in hits], [score for _, score in exact(model, TEXTS, query)], atol=1e-5
        )


def test_a_hit(index: Index, model: SentenceTransformer) -> None:
    (hit,) = index.search("kitten", top_k=1)
    assert list(hit) == ["corpus_id", "text", "metadata", "score"]
    assert [type(value) for value in hit.values()] == [int, str, dict, float]
    ((place, score),) = exact(model, TEXTS, "kitten", 1)
    assert hit == {"corpus_id": place, "text": TEXTS[place], "metadata": METADATA[place], "score": pytest.approx(score)}
    assert index.get([place]) == [{name: value for name, value in hit.items() if name != "score"}]
    hit["metadata"]["place"] = "changed"
    assert index.get([place])[0]["metadata"] == METADATA[place]


def test_several_queries_are_each_alone(index: Index, model: SentenceTransformer) -> None:
    """Whatever the others are, and however they are given."""
    alone = [index.search(query) for query in QUERIES]
    assert index.search(QUERIES) == alone
    assert index.search(tuple(QUERIES)) == alone
    assert index.search(QUERIES[::-1]) == alone[::-1]
    assert index.search(QUERIES[:1]) == alone[:1]
    assert index.search([]) == []
    vectors = model.encode_query(QUERIES)
    assert [ids_of(hits) for hits in index.search(vectors)] == list(map(ids_of, alone))
    assert index.search(vectors[0]) == index.search(vectors[0].tolist()) == index.search(vectors[:1])[0]
    assert ids_of(index.search(vectors[0] * 100)) == ids_of(alone[0])
    many = [f"{query} {number}" for number in range(50) for query in QUERIES]
    assert index.search(many, top_k=3) == [index.search(query, top_k=3) for query in many]


def test_top_k(index: Index) -> None:
    for top_k in (1, 7, len(TEXTS), len(TEXTS) + 1, 10**9):
        hits = index.search("fruit", top_k=top_k)
        assert len(hits) == len(set(ids_of(hits))) == min(top_k, len(TEXTS))
        assert hits[:5] == index.search("fruit", top_k=5)[: len(hits)]


def test_a_score_depends_on_its_row_alone(tmp_path: Path) -> None:
    """Equal vectors have equal scores, wherever they are and whatever else is found."""
    generator = np.random.default_rng(2)
    vectors = generator.standard_normal((900, 100))
    vectors[::13] = vectors[7]
    for precision in PRECISIONS:
        index = Index.build(None, None, tmp_path / precision, embeddings=vectors, precision=precision)
        for query in vectors[7] + 0.3 * generator.standard_normal((10, 100)):
            known: dict[int, float] = {}
            for top_k in (1, 5, 20, 71):
                for hit in index.search(query, top_k):
                    assert known.setdefault(hit["corpus_id"], hit["score"]) == hit["score"]
            assert len({score for place, score in known.items() if place % 13 == 0}) == 1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_equal_vectors_among_others_are_in_the_order_of_adding(tmp_path: Path, precision: str) -> None:
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((900, 100))
    vectors[::100] = vectors[7]
    index = Index.build(None, None, tmp_path / "x", embeddings=vectors, precision=precision)
    for query in vectors[7] + 0.3 * generator.standard_normal((20, 100)):
        for top_k in (1, 3, 10):
            assert ids_of(index.search(query, top_k)) == [0, 7, *range(100, 900, 100)][:top_k]


def test_equal_scores_are_in_the_order_of_adding(tmp_path: Path, model: SentenceTransformer) -> None:
    for precision in PRECISIONS:
        index = Index.build(model, ["same"] * 700, tmp_path / precision, precision=precision)
        index.add(["same"] * 700)
        for top_k in (1, 5, 800, 1400):
            assert ids_of(index.search("same thing", top_k=top_k)) == list(range(top_k))


def test_filters(index: Index) -> None:
    everything = index.search("fruit", top_k=len(TEXTS))

    def check(wanted: Any, given: Any, **more: Any) -> None:
        expected = [hit for hit in everything if wanted(hit["metadata"])]
        assert ids_of(index.search("fruit", 10, given, **more)) == ids_of(expected)[:10]

    third = {"third": True}
    check(lambda metadata: metadata["third"], third)
    check(lambda metadata: metadata["third"], lambda metadata: metadata["third"])
    check(lambda metadata: metadata["place"] in (3, 5), {"place": [3, 5, 9999]})
    check(lambda metadata: metadata["place"] in (3, 5), {"place": {3, 5}})
    check(lambda metadata: metadata["place"] in (3, 6, 9), {"place": (3, 5, 6, 9), "third": True})
    check(lambda metadata: metadata["place"] == 3, {"place": 3})
    check(lambda metadata: "cat" in metadata["words"], lambda metadata: "cat" in metadata["words"])
    check(
        lambda metadata: "cat" in metadata["words"],
        lambda metadata: [word for word in metadata["words"] if word == "cat"],
    )
    check(lambda _: False, {"nothing": 1})
    check(lambda _: False, {"words": {"cat"}})
    check(lambda _: False, {"place": []})
    check(lambda _: True, {})
    check(lambda metadata: metadata["words"] == TEXTS[5].split(), {"words": [TEXTS[5].split()]})
    ids = list(range(0, 200, 7))
    check(lambda metadata: metadata["third"] and metadata["place"] in ids, third, ids=ids)


def test_a_filter_is_asked_once_for_each_metadata(tmp_path: Path, model: SentenceTransformer) -> None:
    asked = []

    def accept(metadata: Any) -> bool:
        asked.append(metadata)
        return True

    metadata = [{"kind": place % 2} for place in range(len(TEXTS))]
    Index.build(model, TEXTS, tmp_path / "x", metadata=metadata).search("fruit", filter=accept)
    assert asked == [{"kind": 0}, {"kind": 1}]


def test_a_filter_that_fails(index: Index) -> None:
    with pytest.raises(KeyError, match="missing"):
        index.search("fruit", filter=lambda metadata: metadata["missing"])


def test_ids(index: Index) -> None:
    everything = ids_of(index.search("fruit", top_k=len(TEXTS)))
    for ids in ([5], [7, 3, 100], list(range(150)), np.array([4, 8]), (9,)):
        assert ids_of(index.search("fruit", ids=ids)) == [found for found in everything if found in list(ids)][:10]
    assert index.search("fruit", ids=[]) == []


def test_score_threshold(index: Index) -> None:
    scores = [hit["score"] for hit in index.search("fruit", top_k=len(TEXTS))]
    for place in (0, 3, 50):
        found = index.search("fruit", top_k=len(TEXTS), score_threshold=scores[place])
        assert [hit["score"] for hit in found] == [score for score in scores if score >= scores[place]]
    assert index.search("fruit", score_threshold=1.01) == []
    assert len(index.search("fruit", score_threshold=-2)) == 10
    assert index.search(["fruit", "cat"], score_threshold=1.01) == [[], []]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_embeddings_in_place_of_texts(tmp_path: Path, precision: str) -> None:
    vectors = np.random.default_rng(1).standard_normal((300, 70))
    rescore = None if precision == "float32" else "float32"
    index = Index.build(None, None, tmp_path / "x", embeddings=vectors, precision=precision, rescore=rescore)
    for wanted in (vectors, vectors.astype(np.float32), vectors.astype(np.float64) * 3, vectors.tolist()):
        hits = index.search(wanted, top_k=1)
        assert [hit["corpus_id"] for (hit,) in hits] == list(range(300))
        assert all(hit["score"] == pytest.approx(1, abs=1e-5) for (hit,) in hits)
    assert list(hits[0][0]) == ["corpus_id", "metadata", "score"]
    index.add(None, embeddings=vectors[:3] + 10, metadata=[{"a": 1}, None, {}])
    assert [row["metadata"] for row in index.get([300, 301, 302])] == [{"a": 1}, {}, {}]
    index.update([0], None, embeddings=-vectors[:1])
    assert ids_of(index.search(-vectors[0], top_k=1)) == [0]
    assert index.info()["model"] is None


def test_embeddings_with_texts(tmp_path: Path, model: SentenceTransformer) -> None:
    """Texts are kept, and nothing is encoded; where there is no model, neither are queries."""
    vectors = model.encode_document(TEXTS)
    index = Index.build(model, TEXTS, tmp_path / "with", embeddings=vectors)
    assert ids_of(index.search("fruit")) == [place for place, _ in exact(model, TEXTS, "fruit")]
    alone = Index.build(None, TEXTS, tmp_path / "without", embeddings=vectors)
    query = model.encode_query("fruit")
    assert alone.search(query) == index.search(query)


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean", "manhattan"])
def test_similarities(tmp_path: Path, similarity: str) -> None:
    folder = TinyModel(settings={"similarity_fn_name": similarity}).save(tmp_path / "model")
    model, texts = SentenceTransformer(folder, backend="onnx"), TEXTS[:60]
    index = Index.build(model, texts, tmp_path / "x", precision="float16", rescore="float32")
    for query in QUERIES:
        hits, expected = index.search(query), exact(model, texts, query)
        np.testing.assert_allclose(
            [hit["score"] for hit in hits], [score for _, score in expected], rtol=1e-3, atol=1e-5
        )
    assert index.info()["similarity"] == similarity


def test_fewer_dimensions(tmp_path: Path) -> None:
    """An index keeps the width it was made with, whatever the model is set to when it is opened."""
    model = SentenceTransformer(truncate_dim=64)
    Index.build(model, TEXTS, tmp_path / "x").close()
    index = Index.open(tmp_path / "x", model=SentenceTransformer())
    assert index.info()["dim"] == 64
    assert ids_of(index.search("fruit")) == [place for place, _ in exact(model, TEXTS, "fruit")]
    assert len(index.search(SentenceTransformer(truncate_dim=64).encode_query("fruit"))) == 10


def test_without_texts(tmp_path: Path, model: SentenceTransformer) -> None:
    index = Index.build(model, TEXTS[:5], tmp_path / "x", store_texts=False)
    assert list(index.search("fruit")[0]) == ["corpus_id", "metadata", "score"]
    index.add(TEXTS[5:7])
    index.update([0], ["fruit"])
    assert ids_of(index.search("fruit", top_k=1)) == [0]
    assert list(index.get([6])[0]) == ["corpus_id", "metadata"]


def test_empty(tmp_path: Path, model: SentenceTransformer) -> None:
    index = Index.build(model, [], tmp_path / "x")
    assert (len(index), index.search("fruit"), index.search(QUERIES)) == (0, [], [[]] * len(QUERIES))
    index.add([])
    index.delete([])
    index.compact()
    index.add(["one"])
    index.delete([0])
    assert (len(index), index.search("fruit"), 0 in index) == (0, [], False)
    index.compact()
    assert index.info()["segments"] == 0


def test_info_and_repr(index: Index) -> None:
    found = index.info()
    assert found | dict.fromkeys(("path", "model", "bytes")) == {
        "path": None, "model": None, "dim": 256, "precision": "float32", "rescore": None, "texts": True,
        "similarity": "cosine", "rows": len(TEXTS), "deleted": 0, "segments": 1, "bytes": None,
        "bytes_per_vector": 1024,
    }  # fmt: skip
    assert found["bytes"] > 1024 * len(TEXTS)
    assert found["model"] == {"name": "static-all-MiniLM-L6-v2", "fingerprint": SentenceTransformer().fingerprint}
    assert repr(index) == f"Index({found['path']!r}, {len(TEXTS)} rows, float32, 256 dim)"


def test_the_model_by_its_name(tmp_path: Path, tiny_folder: Path) -> None:
    with Index.build(tiny_folder, ["a", "b"], tmp_path / "x") as index:
        name = index.info()["model"]["name"]
    assert str(tiny_folder) in name or tiny_folder.name in name
    assert Index.open(str(tmp_path / "x"), model=str(tiny_folder)).search("a", top_k=1)[0]["text"] == "a"


def test_another_folder_to_work_in(tmp_path: Path, model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    index = Index.build(model, TEXTS[:3], "x")
    monkeypatch.chdir("/")
    index.add(["fruit"])
    index.compact()
    assert ids_of(index.search("fruit", top_k=1)) == [3]


def test_searches_in_threads(index: Index) -> None:
    expected, wrong = [index.search(query) for query in QUERIES], []

    def search() -> None:
        wrong.extend(
            query for query, hits in zip(QUERIES * 5, expected * 5, strict=True) if index.search(query) != hits
        )

    threads = [threading.Thread(target=search) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
