"""An index against exact search: what is found, in which order, and how it is given."""

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from tests.support.indexed import METADATA, PRECISIONS, QUERIES, TEXTS, exact, ids_of
from tests.support.tiny_models import TinyModel

#: precisions from the coarsest, and each with every finer copy or none
FINENESS = ("binary", "int8", "float16", "float32")
KEPT = [(kept, None) for kept in FINENESS] + list(itertools.combinations(FINENESS, 2))
#: of the 10 best of an exact search, how many must be found at least
RECALL = {"float32": 1.0, "float16": 1.0, "int8": 0.97, "binary": 0.9}


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
