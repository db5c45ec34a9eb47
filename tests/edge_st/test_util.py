"""sentence-transformers' util over NumPy."""

import numpy as np
import pytest

from edge_st import quantize_embeddings, util

generator = np.random.default_rng(4)
QUERIES = generator.standard_normal((3, 6)).astype(np.float32)
CORPUS = generator.standard_normal((40, 6)).astype(np.float32)


@pytest.mark.parametrize("score", [util.cos_sim, util.dot_score, util.euclidean_sim, util.manhattan_sim])
@pytest.mark.parametrize("top_k", [1, 10, 100])
def test_semantic_search(top_k: int, score: util.Similarity) -> None:
    found = util.semantic_search(QUERIES, CORPUS, top_k=top_k, score_function=score, corpus_chunk_size=7)
    for hits, scores in zip(found, score(QUERIES, CORPUS), strict=True):
        best = np.argsort(-scores)[:top_k].tolist()
        assert [hit["corpus_id"] for hit in hits] == best
        np.testing.assert_allclose([hit["score"] for hit in hits], scores[best], rtol=1e-5)
        assert all(type(hit["corpus_id"]) is int and type(hit["score"]) is float for hit in hits)


def test_semantic_search_of_one_query_and_of_nothing() -> None:
    assert util.semantic_search(QUERIES[0], CORPUS) == util.semantic_search(QUERIES[:1], CORPUS)
    assert util.semantic_search(list(QUERIES), list(CORPUS)) == util.semantic_search(QUERIES, CORPUS)
    assert util.semantic_search(QUERIES, CORPUS[:0]) == [[], [], []]
    assert util.semantic_search(QUERIES, []) == [[], [], []]
    assert util.semantic_search(QUERIES[:0], CORPUS) == []


def test_semantic_search_refuses_k_below_one() -> None:
    with pytest.raises(ValueError, match=r"top_k must be a positive integer, got 0"):
        util.semantic_search(QUERIES, CORPUS, top_k=0)
    with pytest.raises(ValueError, match=r"6 and 5 dimensions"):
        util.semantic_search(QUERIES, CORPUS[:, :5])


def test_normalize_and_truncate() -> None:
    np.testing.assert_allclose(np.linalg.norm(util.normalize_embeddings(QUERIES), axis=1), np.ones(3), rtol=1e-6)
    np.testing.assert_array_equal(util.normalize_embeddings(np.zeros((1, 3), dtype=np.float32)), np.zeros((1, 3)))
    np.testing.assert_array_equal(util.truncate_embeddings(QUERIES, 2), QUERIES[:, :2])
    np.testing.assert_array_equal(util.truncate_embeddings(QUERIES[0], 2), QUERIES[0, :2])
    np.testing.assert_array_equal(util.truncate_embeddings(QUERIES, None), QUERIES)


def test_quantize_embeddings_takes_sentence_transformers_arguments() -> None:
    ranges = np.array([[0.0] * 2, [255.0] * 2])
    found = quantize_embeddings([[1.5, 300.0]], "uint8", ranges=ranges)
    assert found.tolist() == [[1, 255]]
    calibrated = quantize_embeddings([[1.5, 300.0]], precision="uint8", calibration_embeddings=ranges)
    assert calibrated.tolist() == found.tolist()
    assert util.quantize_embeddings is quantize_embeddings


def test_semantic_search_of_marked_entries_and_good_ones() -> None:
    mask = [place % 3 == 0 for place in range(40)]
    everything = util.semantic_search(QUERIES, CORPUS, top_k=40)
    marked = [[hit for hit in hits if mask[int(hit["corpus_id"])]] for hits in everything]
    assert util.semantic_search(QUERIES, CORPUS, top_k=40, mask=mask) == marked
    assert util.semantic_search(QUERIES, CORPUS, mask=np.array(mask)) == [hits[:10] for hits in marked]
    good = [[hit for hit in hits if hit["score"] >= np.float32(0.3)] for hits in everything]
    assert util.semantic_search(QUERIES, CORPUS, top_k=40, score_threshold=0.3) == good
    assert 0 < len(good[0]) < 40
    assert util.semantic_search(QUERIES, CORPUS, mask=[False] * 40) == [[], [], []]
    with pytest.raises(ValueError, match=r"mask has shape \(3,\); expected \(40,\)"):
        util.semantic_search(QUERIES, CORPUS, mask=[True] * 3)
    with pytest.raises(ValueError, match="score_threshold is 'high'; expected a number"):
        util.semantic_search(QUERIES, CORPUS, score_threshold="high")  # type: ignore[arg-type]
