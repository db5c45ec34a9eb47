"""Exact search against brute force, in chunks of every size."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.search.exact import top_k
from edge_st_runtime.vectors.similarity import FUNCTIONS, SimilarityFunction, cos_sim, dot_score

generator = np.random.default_rng(5)
QUERIES = generator.standard_normal((7, 8)).astype(np.float32)
CORPUS = generator.standard_normal((101, 8)).astype(np.float32)


def brute_force(queries: Any, corpus: Any, k: int, score: Any = cos_sim) -> tuple[Any, Any]:
    scores = score(queries, corpus)
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, ids, axis=1), ids


def check(found: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-6)
    assert (found[0].dtype, found[1].dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("similarity", FUNCTIONS, ids=lambda similarity: similarity.value)
@pytest.mark.parametrize("chunks", [(100, 500_000), (1, 1), (2, 10), (7, 101), (3, 100)], ids=str)
@pytest.mark.parametrize("k", [1, 10, 101, 1000])
def test_as_brute_force(k: int, chunks: tuple[int, int], similarity: SimilarityFunction) -> None:
    score = similarity.to_similarity_fn(similarity)
    check(top_k(QUERIES, CORPUS, k, score, *chunks), brute_force(QUERIES, CORPUS, k, score))


@pytest.mark.parametrize("corpus_chunk", [1, 4, 100])
def test_equal_scores_keep_the_order_of_the_corpus(corpus_chunk: int) -> None:
    corpus = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    scores, ids = top_k(np.array([[1, 0.5, 0]], dtype=np.float32), corpus, 12, dot_score, 100, corpus_chunk)
    assert ids.tolist() == [list(range(12))]
    assert scores.tolist() == [[1.0] * 4 + [0.5] * 4 + [0.0] * 4]


def test_ties_for_the_last_place_still_give_k_distinct_rows() -> None:
    scores, ids = top_k(np.ones((1, 2), dtype=np.float32), np.ones((50, 2), dtype=np.float32), 7, dot_score)
    assert len(set(ids[0].tolist())) == 7
    assert scores.tolist() == [[2.0] * 7]


def test_memory_mapped_corpus(tmp_path: Path) -> None:
    np.save(tmp_path / "corpus.npy", CORPUS)
    corpus = np.load(tmp_path / "corpus.npy", mmap_mode="r")
    check(top_k(QUERIES, corpus, 5, corpus_chunk=17), brute_force(QUERIES, CORPUS, 5))


@pytest.mark.parametrize(("queries", "rows"), [(0, 101), (7, 0), (0, 0)])
def test_nothing_to_search(queries: int, rows: int) -> None:
    scores, ids = top_k(QUERIES[:queries], CORPUS[:rows], 3)
    assert scores.shape == ids.shape == (queries, min(3, rows))


def test_scores_are_computed_a_bounded_number_at_a_time() -> None:
    sizes = []

    def score(queries: Any, corpus: Any) -> Any:
        sizes.append(len(queries) * len(corpus))
        return dot_score(queries, corpus)

    top_k(QUERIES[:, :1], np.ones((5_000_000, 1), dtype=np.float32), 1, score, query_chunk=2)
    assert max(sizes) <= 4_000_000
    sizes.clear()
    top_k(QUERIES, CORPUS, 3, score, query_chunk=3, corpus_chunk=20)
    assert max(sizes) == 60


@pytest.mark.parametrize(
    ("name", "told"), [("k", "top_k"), ("query_chunk", "query_chunk_size"), ("corpus_chunk", "corpus_chunk_size")]
)
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_values_below_one(name: str, told: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{told} must be a positive integer, got {value}"):
        top_k(QUERIES, CORPUS, **{"k": 3, name: value})


@pytest.mark.parametrize("chunks", [(100, 500_000), (1, 1), (2, 10), (3, 100)], ids=str)
@pytest.mark.parametrize("threshold", [None, 0.2, -5.0, 5.0])
@pytest.mark.parametrize("marked", [0, 1, 5, 60, 101])
def test_mask_and_threshold(marked: int, threshold: float | None, chunks: tuple[int, int]) -> None:
    mask = np.isin(np.arange(101), generator.permutation(101)[:marked])
    scores = np.where(mask, cos_sim(QUERIES, CORPUS), -np.inf)
    if threshold is not None:
        scores[scores < np.float32(threshold)] = -np.inf
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    expected = np.take_along_axis(scores, ids, axis=1)
    found = top_k(QUERIES, CORPUS, 10, cos_sim, *chunks, mask, threshold)
    check(found, (expected, np.where(expected == -np.inf, -1, ids)))


@pytest.mark.parametrize("chunks", [(100, 500_000), (1, 1), (2, 10), (3, 7)], ids=str)
@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, np.float16, np.float64])
def test_ties_do_not_depend_on_chunks_or_dtype(dtype: Any, chunks: tuple[int, int]) -> None:
    corpus, queries = generator.integers(0, 3, (500, 4)).astype(dtype), np.array([[1, 0, 2, 1]], dtype=dtype)
    scores = queries.astype(np.float64) @ corpus.astype(np.float64).T
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :100]
    found = top_k(queries, corpus, 100, dot_score, *chunks)
    assert found[1].tolist() == expected.tolist()
    assert found[0].tolist() == np.take_along_axis(scores, expected, axis=1).tolist()


def test_scores_that_are_no_numbers() -> None:
    corpus = CORPUS.copy()
    corpus[::2] = np.nan
    scores, ids = top_k(QUERIES, corpus, 101)
    assert (np.sort(ids[:, :50], axis=1) == np.arange(1, 101, 2)).all()
    assert (ids[:, 50:] == -1).all()
    assert (scores[:, 50:] == -np.inf).all()


def test_wrong_masks_and_thresholds() -> None:
    for mask in (np.ones(100, dtype=bool), np.ones((101, 1), dtype=bool)):
        with pytest.raises(InputError, match=r"mask has shape \(10.*\); expected \(101,\)"):
            top_k(QUERIES, CORPUS, 3, mask=mask)
    wrong: Any
    for wrong in ("0.5", np.nan, True, [0.5]):
        with pytest.raises(OptionError, match=r"score_threshold is .*; expected a number"):
            top_k(QUERIES, CORPUS, 3, threshold=wrong)
