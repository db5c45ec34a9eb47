"""Retriever: found by meaning, by words or both, and reranked."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge_st import CrossEncoder, Retriever, SentenceTransformer, SparseEncoder
from edge_st.util import reciprocal_rank_fusion
from edge_st_runtime.errors import OptionError
from edge_st_runtime.store.sparse.bm25 import BM25
from tests.support.passages import BOATS, DOOR, FOX, PASSAGES, TAX, TINY_RERANKER, filled, ids


def test_by_meaning_scores_are_the_models_cosines(dense: SentenceTransformer) -> None:
    hits = filled(dense).candidates("ships on the ocean", top_k=3)
    cosines = dense.similarity(dense.encode_query(["ships on the ocean"]), dense.encode_document(PASSAGES))[0]
    assert ids(hits) == np.argsort(-cosines)[:3].tolist()
    assert [hit["score"] for hit in hits] == pytest.approx(np.sort(cosines)[::-1][:3].tolist(), abs=1e-6)
    assert hits[0]["corpus_id"] == 1


@pytest.mark.parametrize("name", ["dot", "euclidean"])
def test_by_meaning_as_the_model_compares(dense: SentenceTransformer, name: str) -> None:
    other = SentenceTransformer(similarity_fn_name=name)
    hits = filled(other).candidates("the old door", top_k=4)
    scores = other.similarity(other.encode_query(["the old door"]), other.encode_document(PASSAGES))[0]
    assert [hit["score"] for hit in hits] == pytest.approx(np.sort(scores)[::-1].tolist(), rel=1e-5)


def test_by_words_only_what_shares_one_is_found() -> None:
    retriever = filled(None, "bm25")
    assert ids(retriever.candidates("tax office")) == [3]
    assert ids(retriever.search("who jumps over the door"))[:2] == [0, 2]
    assert retriever.search("zebra") == []
    assert retriever.context("zebra") == ""


def test_by_sparse_vectors_scores_are_dot_products(sparse_folder: Path) -> None:
    retriever = filled(None, sparse_folder)
    model = retriever.sparse
    assert isinstance(model, SparseEncoder)
    products = (model.encode_document(PASSAGES).to_dense() @ model.encode_query("cold sea").to_dense()).tolist()
    hits = retriever.candidates("cold sea")
    assert len(hits) == 4
    assert {hit["corpus_id"]: hit["score"] for hit in hits} == pytest.approx(dict(enumerate(products)), rel=1e-5)


def test_both_are_fused_by_rank(dense: SentenceTransformer) -> None:
    query = "tax on boats"
    rankings = [filled(*parts).candidates(query) for parts in ((dense,), (None, "bm25"))]
    fused = filled(dense, "bm25")
    assert fused.candidates(query) == reciprocal_rank_fusion(rankings)
    assert fused.candidates(query, top_k=2) == reciprocal_rank_fusion(rankings)[:2]


def test_second_in_both_is_before_first_in_one(dense: SentenceTransformer) -> None:
    passages = ["Who is it that knows?", "Sailors aboard sailing vessels", "that boat", "the coast", "a river"]
    retrievers = Retriever(dense), Retriever(sparse="bm25"), Retriever(dense, "bm25")
    for retriever in retrievers:
        retriever.add(passages)
    by_meaning, by_words, by_both = (each.candidates("who is it that sails a ship") for each in retrievers)
    assert [ids(hits)[:2] for hits in (by_meaning, by_words, by_both)] == [[1, 2], [0, 2], [2, 0]]
    assert retrievers[2].candidates("who is it that sails a ship", top_k=1) == by_both[:1]


def test_reranked_scores_are_the_rerankers_and_plain(dense: SentenceTransformer, reranker: CrossEncoder) -> None:
    hits = filled(dense, BM25(), reranker).search("boats at sea", top_k=3)
    assert hits == reranker.rank("boats at sea", PASSAGES, top_k=3, return_documents=True)
    assert [hit["text"] for hit in hits] == [DOOR, FOX, TAX]
    logits = np.array([TINY_RERANKER.logit("boats at sea", hit["text"]) for hit in hits])
    assert [hit["score"] for hit in hits] == pytest.approx((1 / (1 + np.exp(-logits))).tolist(), abs=1e-5)
    assert json.loads(json.dumps(hits)) == hits


def test_only_the_candidates_are_reranked(dense: SentenceTransformer, reranker: CrossEncoder) -> None:
    retriever = filled(dense, None, reranker)
    best = retriever.candidates("boats at sea", top_k=2)
    assert ids(best)[0] == 1
    assert sorted(ids(retriever.search("boats at sea", top_k=2, candidates=2))) == sorted(ids(best))
    assert ids(retriever.search("boats at sea", top_k=1, candidates=1)) == [1]
    with pytest.raises(OptionError, match="candidates is 5, fewer than top_k; expected at least 6"):
        retriever.search("boats", top_k=6, candidates=5)


def test_a_long_passage_is_cut_by_the_reranker(reranker: CrossEncoder) -> None:
    retriever = Retriever(None, "bm25", reranker)
    retriever.add(["boats " * 100 + "door", "door boats"])
    assert ids(retriever.search("boats")) == [1, 0]


def test_names_and_folders_are_opened(tiny_folder: Path, reranker_folder: Path) -> None:
    retriever = filled(str(tiny_folder), "bm25", reranker_folder)
    assert isinstance(retriever.dense, SentenceTransformer)
    assert isinstance(retriever.sparse, BM25)
    assert isinstance(retriever.reranker, CrossEncoder)
    assert len(retriever.search("fox")) == len(retriever) == 4


def test_adding_in_parts_is_adding_at_once(dense: SentenceTransformer, reranker: CrossEncoder) -> None:
    retriever = Retriever(dense, "bm25", reranker)
    given = [[FOX], [], [BOATS, DOOR], [TAX]]
    for part in given:
        retriever.add(part)
        retriever.search("boats")
    assert given == [[FOX], [], [BOATS, DOOR], [TAX]]
    assert retriever.search("tax boats") == filled(dense, "bm25", reranker).search("tax boats")


def test_callers_ids(dense: SentenceTransformer, reranker: CrossEncoder) -> None:
    retriever = Retriever(dense, "bm25", reranker)
    retriever.add(PASSAGES[:2], ids=["fox", "boats"])
    retriever.add(PASSAGES[2:], ids=np.array([70, 71]))
    assert ids(retriever.candidates("green door"))[0] == 70
    assert ids(json.loads(json.dumps(retriever.search("boats")))) == [70, "fox", 71, "boats"]


def test_searches_in_threads_are_those_one_by_one(dense: SentenceTransformer, reranker: CrossEncoder) -> None:
    retriever = Retriever(dense, "bm25", reranker)
    for passage in PASSAGES:
        retriever.add([passage])
    queries = [*PASSAGES, "fox at sea", "library tax"] * 5
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(retriever.search, queries))
    assert found == [filled(dense, "bm25", reranker).search(query) for query in queries]


def test_pickled_it_finds_the_same(dense: SentenceTransformer, reranker: CrossEncoder) -> None:
    retriever = filled(dense, "bm25", reranker)
    assert pickle.loads(pickle.dumps(retriever)).search("old boats") == retriever.search("old boats")
