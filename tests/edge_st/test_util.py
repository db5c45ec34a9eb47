"""sentence-transformers' util over NumPy."""

import numpy as np
import pytest

from edge_st import SparseMatrix, quantize_embeddings, util

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


def test_quantize_embeddings_of_several_matrices_and_of_none() -> None:
    assert util.quantize_embeddings([], "int8") == []
    matrices = [QUERIES, CORPUS]
    found = util.quantize_embeddings(matrices, "uint8")
    together = util.quantize_embeddings(np.concatenate(matrices), "uint8")
    np.testing.assert_array_equal(np.concatenate(found), together)
    with pytest.raises(ValueError, match=r"Precision 'int4' is not supported"):
        util.quantize_embeddings([], "int4")
    with pytest.raises(ValueError, match=r"embeddings\[0\] cannot be read as an array"):
        util.quantize_embeddings([[[1.0], [1.0, 2.0]]], "int8")


def test_what_may_be_normalized_and_truncated() -> None:
    np.testing.assert_allclose(util.normalize_embeddings([3, 4]), [0.6, 0.8], rtol=1e-6)
    assert util.normalize_embeddings(np.ones((1, 2, 3), dtype=np.float16)).dtype == np.float32
    assert util.normalize_embeddings(np.ones(2)).dtype == np.float64
    assert util.truncate_embeddings([[1, 2, 3]], 2).tolist() == [[1, 2]]
    assert util.truncate_embeddings(QUERIES, -1).shape == (3, 5)
    with pytest.raises(ValueError, match=r"truncate_dim is 1\.5; expected a whole number"):
        util.truncate_embeddings(QUERIES, 1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"truncate_dim is True"):
        util.truncate_embeddings(QUERIES, True)


def test_values_farthest_from_zero() -> None:
    dense = np.array([[0.1, -3, 2, 0], [1, 1, 0, 1]], dtype=np.float32)
    assert util.select_max_active_dims(dense, 2).tolist() == [[0, -3, 2, 0], [1, 1, 0, 0]]
    assert util.select_max_active_dims(dense[0].tolist(), 1).tolist() == [0, -3, 0, 0]
    assert util.select_max_active_dims(dense, None) is dense
    sparse = util.select_max_active_dims(SparseMatrix.from_dense(dense), 2)
    np.testing.assert_array_equal(sparse.to_dense(), util.select_max_active_dims(dense, 2))
    with pytest.raises(ValueError, match="max_active_dims must be a positive integer, got 0"):
        util.select_max_active_dims(dense, 0)


def test_older_names() -> None:
    assert util.pytorch_cos_sim is util.cos_sim
    assert util.information_retrieval is util.semantic_search
    assert util.__all__ == sorted(util.__all__)
    assert all(getattr(util, name) is not None for name in util.__all__)


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
