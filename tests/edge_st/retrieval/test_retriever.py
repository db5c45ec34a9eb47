"""Retriever: found by meaning, by words or both, reranked, and joined for a language model."""

import json
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, Retriever, SentenceTransformer, SparseEncoder
from edge_st.util import reciprocal_rank_fusion
from edge_st_runtime.errors import FolderNotFoundError, InputError, InputTypeError, OptionError, WrongClassError
from edge_st_runtime.store.sparse.bm25 import BM25
from tests.support.tiny_graphs import TinyGraph
from tests.support.tiny_models import TinyModel, write_json
from tests.support.tiny_rerankers import TinyReranker

FOX, BOATS, DOOR, TAX = PASSAGES = [
    "The quick brown fox jumps over the lazy dog.",
    "Seven small boats sail across the cold northern sea.",
    "Nobody remembers who painted the green door of the old library.",
    "Income tax returns must reach the tax office before the end of July.",
]
TINY_RERANKER = TinyReranker({"fox": 5.0, "door": 9.0, "sea": -4.0})


@pytest.fixture(scope="module")
def dense() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture(scope="module")
def reranker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY_RERANKER.save(tmp_path_factory.mktemp("models") / "reranker")


@pytest.fixture(scope="module")
def reranker(reranker_folder: Path) -> CrossEncoder:
    return CrossEncoder(reranker_folder)


@pytest.fixture(scope="module")
def sparse_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fill-mask model without modules.json: its 12 'logits' go through SPLADE pooling."""
    folder = tmp_path_factory.mktemp("models") / "sparse"
    model = TinyModel(graph=TinyGraph(outputs={"logits": "tokens"}))
    model.save(folder)
    (folder / "modules.json").unlink()
    write_json(folder / "config.json", {**model.config, "architectures": ["BertForMaskedLM"], "vocab_size": 500})
    return folder


def filled(*parts: Any) -> Retriever:
    retriever = Retriever(*parts)
    retriever.add(PASSAGES)
    return retriever


def ids(hits: list[dict[str, Any]]) -> list[Any]:
    return [hit["corpus_id"] for hit in hits]


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


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (["a"], InputError, "ids has 1 items for 2 passages"),
        (["a", "a"], InputError, "the id 'a' occurs twice"),
        (["a", "fox"], InputError, "the id 'fox' occurs twice"),
        (["a", 1.5], InputTypeError, "ids holds 1.5 of type float"),
        (["a", True], InputTypeError, "ids holds True of type bool"),
        ("ab", InputTypeError, "ids is a str"),
    ],
)
def test_wrong_ids(wrong: Any, error: type[Exception], message: str) -> None:
    retriever = Retriever(sparse="bm25")
    retriever.add([FOX], ids=["fox"])
    with pytest.raises(error, match=message):
        retriever.add([BOATS, DOOR], ids=wrong)
    assert len(retriever) == 1
    assert retriever.candidates("boats") == []


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (FOX, InputTypeError, "passages is str"),
        ([FOX, None], InputTypeError, r"passages\[1\] is None"),
        ([FOX, " \n"], InputError, r"passages\[1\] is empty"),
        ([FOX, "\ud800"], InputError, r"passages\[1\] holds a lone surrogate"),
    ],
)
def test_wrong_passages_add_nothing(dense: SentenceTransformer, wrong: Any, error: type, message: str) -> None:
    retriever = Retriever(dense, "bm25")
    with pytest.raises(error, match=message):
        retriever.add(wrong)
    assert len(retriever) == 0
    assert retriever.search("fox") == []


def test_what_fails_while_adding_adds_nothing(dense: SentenceTransformer, tiny_folder: Path) -> None:
    def refuses_doors(text: str) -> list[str]:
        if "door" in text:
            raise ZeroDivisionError
        return text.lower().split()

    retriever = Retriever(dense, BM25(refuses_doors))
    retriever.add([FOX])
    for failing in (retriever, Retriever(SentenceTransformer(tiny_folder, truncation="error"), "bm25")):
        before = failing.search("fox")
        with pytest.raises((ZeroDivisionError, InputError)):
            failing.add([BOATS, DOOR, "fox " * 100])
        assert failing.search("fox") == before
    retriever.add([TAX])
    assert ids(retriever.candidates("income tax"))[0] == 1


def test_another_width_adds_nothing() -> None:
    model = SentenceTransformer()
    retriever = filled(model)
    with model.truncate_embeddings(8), pytest.raises(InputError, match="gives 8 dimensions, before it gave 256"):
        retriever.add(["more"])
    assert len(retriever.candidates("fox")) == len(retriever) == 4


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ("", InputError, "query is empty"),
        (" \t", InputError, "query is empty"),
        (None, InputTypeError, "query is None; expected a str"),
        (["fox"], InputTypeError, "query is list"),
        ("\ud800", InputError, "query holds a lone surrogate"),
    ],
)
def test_wrong_queries(query: Any, error: type[Exception], message: str) -> None:
    retriever = Retriever(sparse="bm25")
    calls: list[Callable[[Any], object]] = [retriever.candidates, retriever.search, retriever.context]
    for call in calls:
        with pytest.raises(error, match=message):
            call(query)


@pytest.mark.parametrize("options", [{"top_k": 0}, {"top_k": True}, {"candidates": 0}, {"candidates": 2.5}])
def test_wrong_counts(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="must be a positive integer"):
        filled(None, "bm25").search("fox", **options)


def test_wrong_parts(tiny_folder: Path, sparse_folder: Path, reranker_folder: Path, tmp_path: Path) -> None:
    full = BM25()
    full.add(PASSAGES)
    cosine = SparseEncoder(sparse_folder, similarity_fn_name="cosine")
    several = TinyReranker(labels=3).save(tmp_path / "several")
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({}, OptionError, "dense and sparse are both None"),
        ({"reranker": "no/such/folder"}, OptionError, "dense and sparse are both None"),
        ({"dense": BM25()}, OptionError, "dense is a BM25; expected a SentenceTransformer"),
        ({"sparse": full}, OptionError, "holds 4 texts already"),
        ({"sparse": cosine}, OptionError, "sparse compares by cosine"),
        ({"sparse": "bm25", "reranker": several}, OptionError, "gives 3 scores a pair"),
        ({"dense": reranker_folder}, WrongClassError, "is a CrossEncoder, not a SentenceTransformer"),
        ({"sparse": tiny_folder}, WrongClassError, "is a SentenceTransformer, not a SparseEncoder"),
        ({"dense": "no/such/folder"}, FolderNotFoundError, "no/such/folder"),
    ]
    for parts, error, message in wrong:
        with pytest.raises(error, match=message):
            Retriever(**parts)


def test_context_is_whole_passages_best_first(dense: SentenceTransformer, reranker: CrossEncoder) -> None:
    retriever = filled(dense, "bm25", reranker)
    assert retriever.context("boats", top_k=2) == f"{DOOR}\n\n{FOX}"
    assert retriever.context("boats", top_k=2, separator=" / ") == f"{DOOR} / {FOX}"
    whole = len(DOOR) + 2 + len(FOX)
    assert retriever.context("boats", max_length=whole) == f"{DOOR}\n\n{FOX}"
    assert retriever.context("boats", max_length=whole - 1) == DOOR


def test_context_counts_as_it_is_told(dense: SentenceTransformer) -> None:
    def tokens(text: str) -> int:
        return int(dense.count_tokens(text))

    retriever = filled(dense)
    most = tokens(BOATS)
    assert retriever.context("boats at sea", max_length=most, length=tokens) == BOATS
    with pytest.raises(InputError, match=rf"the best passage has length {most}, the context may have {most - 1};"):
        retriever.context("boats at sea", max_length=most - 1, length=tokens)
    with pytest.raises(OptionError, match="max_length must be a positive integer"):
        retriever.context("boats at sea", max_length=0)


def test_a_worse_passage_takes_no_better_ones_place() -> None:
    retriever = Retriever(sparse="bm25")
    retriever.add(["fox fox", "fox and more that is much too long", "fox of the sea"])
    assert ids(retriever.search("fox")) == [0, 2, 1]
    assert retriever.context("fox", max_length=12) == "fox fox"


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
