"""What a retriever refuses: each error says what was found, and nothing is added."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_st import Retriever, SentenceTransformer, SparseEncoder
from edge_st_runtime.errors import FolderNotFoundError, InputError, InputTypeError, OptionError, WrongClassError
from edge_st_runtime.store.sparse.bm25 import BM25
from tests.support.passages import BOATS, DOOR, FOX, PASSAGES, TAX, filled, ids
from tests.support.tiny_rerankers import TinyReranker


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (["a"], InputError, "ids has 1 items for 2 passages"),
        (["a", "a"], InputError, "the id 'a' occurs twice"),
        (["a", "fox"], InputError, "the id 'fox' occurs twice"),
        (["a", 1.5], InputTypeError, "ids holds 1.5 of type float"),
        (["a", True], InputTypeError, "ids holds True of type bool"),
        ("ab", InputTypeError, "ids is str"),
        ({"a", "b"}, InputTypeError, "ids is set .*, which has no order; expected a list with one for each passage"),
        (["a", "\ud800"], InputError, "an id holds a lone surrogate"),
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
        ({}, OptionError, "dense, sparse and multi_vector are all None"),
        ({"reranker": "no/such/folder"}, OptionError, "dense, sparse and multi_vector are all None"),
        ({"sparse": "bm26"}, OptionError, "sparse is 'bm26'; expected 'bm25', a BM25, a SparseEncoder"),
        ({"sparse": "BM25"}, OptionError, "sparse is 'BM25'; expected 'bm25'"),
        ({"dense": BM25()}, OptionError, r"dense is BM25 \(.*\); expected a SentenceTransformer"),
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
