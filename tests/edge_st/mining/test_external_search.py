"""Search by faiss and usearch: the same as comparing every vector."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_st.util import quantize_embeddings, semantic_search, semantic_search_faiss, semantic_search_usearch
from edge_st_runtime.errors import InputError, OptionError, PackageMissingError
from edge_st_runtime.vectors.dense import normalize, value_ranges

Search = Callable[..., tuple[Any, ...]]
PACKAGES = {semantic_search_faiss: "faiss", semantic_search_usearch: "usearch"}
PRECISIONS = [
    *((semantic_search_faiss, precision) for precision in ("float32", "uint8", "ubinary")),
    *((semantic_search_usearch, precision) for precision in ("float32", "int8", "ubinary", "binary")),
]
generator = np.random.default_rng(9)
CORPUS = normalize(generator.standard_normal((60, 20)).astype(np.float32))
QUERIES = normalize(CORPUS[[3, 14, 15]] + generator.normal(0, 0.1, (3, 20)).astype(np.float32))
RANGES = value_ranges(CORPUS)
searches = pytest.mark.parametrize("search", PACKAGES, ids=list(PACKAGES.values()))
every_precision = pytest.mark.parametrize(
    ("search", "precision"), PRECISIONS, ids=[f"{PACKAGES[search]}-{precision}" for search, precision in PRECISIONS]
)


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    if "search" in request.fixturenames:
        pytest.importorskip(PACKAGES[request.getfixturevalue("search")])


def ids(found: list[list[dict[str, Any]]]) -> list[list[int]]:
    return [[hit["corpus_id"] for hit in hits] for hits in found]


def stored(precision: str) -> Any:
    return quantize_embeddings(CORPUS, precision, ranges=RANGES)


@searches
def test_float32_is_what_semantic_search_finds(search: Search) -> None:
    found, seconds = search(QUERIES, CORPUS, rescore=False, top_k=7)
    exact = semantic_search(QUERIES, CORPUS, top_k=7)
    assert ids(found) == ids(exact)
    scores = np.array([[hit["score"] for hit in hits] for hits in exact])
    expected = scores if search is semantic_search_faiss else 1 - scores
    np.testing.assert_allclose([[hit["score"] for hit in hits] for hits in found], expected, atol=1e-5)
    assert isinstance(seconds, float)
    assert all(type(hit["corpus_id"]) is int and type(hit["score"]) is float for hits in found for hit in hits)


@every_precision
def test_candidates_are_scored_again_with_the_float_query(search: Search, precision: str) -> None:
    found, _ = search(QUERIES, stored(precision), corpus_precision=precision, ranges=RANGES, rescore_multiplier=20)
    assert [hits[0]["corpus_id"] for hits in found] == [3, 14, 15]
    scores = [[hit["score"] for hit in hits] for hits in found]
    if precision != "float32":
        assert scores == [sorted(row, reverse=True) for row in scores]
    if precision.endswith("int8"):
        np.testing.assert_allclose([row[0] for row in scores], (QUERIES * CORPUS[[3, 14, 15]]).sum(1), atol=0.05)


@every_precision
@pytest.mark.parametrize("rescore", [True, False])
def test_fewer_than_asked_for(search: Search, precision: str, rescore: bool) -> None:
    options = {"corpus_precision": precision, "ranges": RANGES, "rescore": rescore}
    found, _ = search(QUERIES, stored(precision)[:4], top_k=10, **options)
    assert [sorted(row) for row in ids(found)] == [[0, 1, 2, 3]] * 3
    assert search(QUERIES[:0], stored(precision), **options)[0] == []


@every_precision
def test_an_index_is_given_back_and_taken(search: Search, precision: str) -> None:
    options = {"corpus_precision": precision, "ranges": RANGES}
    first, _, index = search(QUERIES, stored(precision), output_index=True, **options)
    again, _ = search(QUERIES, corpus_index=index, **options)
    assert again == first
    single, _ = search(QUERIES[1], corpus_index=index, **options)
    assert ids(single) == ids(first[1:2])


@every_precision
def test_a_graph_finds_the_nearest(search: Search, precision: str) -> None:
    for _ in range(50):
        found, _ = search(QUERIES, stored(precision), corpus_precision=precision, ranges=RANGES, exact=False)
        assert [hits[0]["corpus_id"] for hits in found] == [3, 14, 15]


@searches
def test_quantized_queries(search: Search, caplog: pytest.LogCaptureFixture) -> None:
    codes = quantize_embeddings(QUERIES, "ubinary")
    found, _ = search(codes, stored("ubinary"), corpus_precision="ubinary", top_k=1)
    differing = np.unpackbits(codes[:, None] ^ stored("ubinary"), axis=2).sum(axis=2)
    assert [hits[0]["score"] for hits in found] == differing.min(axis=1).tolist()
    assert [row[hits[0]["corpus_id"]] for row, hits in zip(differing, found, strict=True)] == differing.min(1).tolist()
    assert "the queries are quantized" in caplog.text
    with caplog.at_level(logging.WARNING):
        search(QUERIES, CORPUS)
    assert "the corpus is float32" in caplog.text


@every_precision
def test_vectors_that_are_refused(search: Search, precision: str) -> None:
    options = {"corpus_precision": precision, "ranges": RANGES}
    narrow = {**options, "ranges": RANGES[:, :8]}
    with pytest.raises(InputError, match=r"query_embeddings have . (dimensions|bytes), the corpus"):
        search(QUERIES[:, :8], stored(precision), **narrow)
    with pytest.raises(InputError, match=r"query_embeddings\[1\] holds NaN|embeddings hold NaN"):
        search(QUERIES * [[1], [np.nan], [1]], stored(precision), **options)
    with pytest.raises(InputError, match=r"corpus_embeddings of shape \(20,\); expected \(n, dim\)"):
        search(QUERIES, CORPUS[0], **options)
    if precision != "float32":
        with pytest.raises(InputError, match=r"corpus_embeddings is float32; corpus_precision=.* takes u?int8"):
            search(QUERIES, CORPUS, **options)


@searches
def test_what_is_no_index_is_refused(search: Search) -> None:
    with pytest.raises(TypeError, match="corpus_index is ndarray; expected an index"):
        search(QUERIES, corpus_index=CORPUS)


@every_precision
def test_an_empty_corpus(search: Search, precision: str) -> None:
    found, _ = search(QUERIES, stored(precision)[:0], corpus_precision=precision, ranges=RANGES, top_k=np.int64(3))
    assert found == [[], [], []]


@searches
def test_one_query_gives_no_ranges(search: Search) -> None:
    precision = "uint8" if search is semantic_search_faiss else "int8"
    with pytest.raises(InputError, match=r"one query alone has no ranges for u?int8; pass ranges"):
        search(QUERIES[0], stored(precision), corpus_precision=precision)
    found, _ = search(QUERIES[0], stored(precision), corpus_precision=precision, calibration_embeddings=CORPUS)
    assert found[0][0]["corpus_id"] == 3


@searches
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corpus_embeddings": None}, "neither of corpus_embeddings and corpus_index given"),
        ({"corpus_index": object()}, "both of corpus_embeddings and corpus_index given"),
        ({"corpus_precision": "float16"}, "corpus_precision is 'float16'; expected one of 'float32', 'u?int8'"),
        ({"top_k": 0}, "top_k must be a positive integer, got 0"),
        ({"rescore_multiplier": 0}, "rescore_multiplier must be a positive integer"),
    ],
)
def test_options_that_are_refused(search: Search, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        search(QUERIES, **{"corpus_embeddings": CORPUS, **options})


@pytest.mark.parametrize("function", PACKAGES)
def test_a_missing_package_is_named(function: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("faiss", "usearch", "usearch.index"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PackageMissingError, match=r"pip install (faiss-cpu|usearch)"):
        function(QUERIES, CORPUS)
