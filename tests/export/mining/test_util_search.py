"""Search, mining of paraphrases and communities in edge_st.util find what sentence-transformers' do."""

from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers import quantization as st_quantization
from sentence_transformers import util as st_util

from edge_st import util
from edge_st_export.original.texts import ALL

Hits = list[list[dict[str, Any]]]
random = np.random.default_rng(33)
QUERIES, CORPUS = (random.standard_normal((rows, 12)).astype(np.float32) for rows in (9, 150))
#: of four directions, so that most scores are shared
TIED = np.eye(4, dtype=np.float32)[random.integers(0, 4, 40)]
#: so far apart that no group takes the centre of another: 5.7 then forms a third without it
GROUPED = random.standard_normal((8, 12))[random.integers(0, 8, 300)] + random.normal(0, 0.05, (300, 12))
SCORES = ["cos_sim", "dot_score", "euclidean_sim", "manhattan_sim"]


@pytest.fixture(scope="module")
def real_vectors(real: SentenceTransformer) -> Any:
    """Vectors of difficult texts, of which each is there twice in another case."""
    return real.encode([*ALL, *(text.upper() for text in ALL)])


def same_hits(found: Hits, wanted: Hits) -> None:
    """The same scores, and the same entries with them, but for those that compete for the last place."""
    assert [len(hits) for hits in found] == [len(hits) for hits in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        assert all(list(hit) == ["corpus_id", "score"] and type(hit["corpus_id"]) is int for hit in ours)
        np.testing.assert_allclose([hit["score"] for hit in ours], [hit["score"] for hit in theirs], atol=2e-4)
        if len({hit["corpus_id"] for hit in ours} ^ {hit["corpus_id"] for hit in theirs}):
            last = theirs[-1]["score"]
            ours, theirs = ([hit for hit in hits if hit["score"] > last + 1e-4] for hits in (ours, theirs))
        assert sorted(hit["corpus_id"] for hit in ours) == sorted(hit["corpus_id"] for hit in theirs)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("top_k", [1, 10, 400])
@pytest.mark.parametrize("chunks", [(100, 500_000), (4, 7)], ids=["one piece", "pieces"])
@pytest.mark.parametrize("vectors", [(QUERIES, CORPUS), (TIED[:5], TIED)], ids=["random", "tied"])
def test_semantic_search(vectors: Any, chunks: tuple[int, int], top_k: int, score: str) -> None:
    queries, corpus = vectors
    found = util.semantic_search(queries, corpus, *chunks, top_k, getattr(util, score))
    same_hits(found, st_util.semantic_search(queries, corpus, *chunks, top_k, getattr(st_util, score)))


def test_semantic_search_of_other_forms() -> None:
    for queries, corpus in (
        (QUERIES[0], CORPUS),
        (torch.from_numpy(QUERIES), torch.from_numpy(CORPUS)),
        (list(torch.from_numpy(QUERIES)), list(torch.from_numpy(CORPUS))),
        (QUERIES.astype(np.float64), CORPUS.astype(np.float64)),
        (QUERIES, CORPUS[:0]),
        (QUERIES[:0], CORPUS),
    ):
        same_hits(util.semantic_search(queries, corpus), st_util.semantic_search(queries, corpus))
    queries, corpus = ((rows * 3).astype(np.int64) for rows in (QUERIES, CORPUS))
    wanted = st_util.semantic_search(queries, corpus, score_function=st_util.dot_score)
    same_hits(util.semantic_search(queries, corpus, score_function=util.dot_score), wanted)
    same_hits(util.information_retrieval(QUERIES, CORPUS), st_util.information_retrieval(QUERIES, CORPUS))


def test_semantic_search_by_a_function_of_ones_own(real_vectors: Any) -> None:
    found = util.semantic_search(real_vectors[:9], real_vectors, score_function=lambda a, b: -np.abs(a @ b.T - 0.5))
    theirs = st_util.semantic_search(real_vectors[:9], real_vectors, score_function=lambda a, b: -(a @ b.T - 0.5).abs())
    same_hits(found, theirs)
    same_hits(util.semantic_search(real_vectors, real_vectors), st_util.semantic_search(real_vectors, real_vectors))


def same_pairs(found: Any, wanted: Any, near: float = 1e-5) -> None:
    assert len(found) == len(wanted)
    np.testing.assert_allclose([pair[0] for pair in found], [pair[0] for pair in wanted], atol=near)
    assert {(i, j) for _, i, j in found} == {(i, j) for _, i, j in wanted}
    assert all(i < j for _, i, j in found)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"top_k": 3},
        {"query_chunk_size": 7, "corpus_chunk_size": 11, "top_k": 150},
        {"query_chunk_size": 13, "corpus_chunk_size": 40, "top_k": 150},
        {"query_chunk_size": 13, "top_k": 2},
    ],
    ids=str,
)
def test_paraphrases(options: dict[str, int]) -> None:
    for vectors in (torch.from_numpy(CORPUS), torch.from_numpy(CORPUS[:2]), torch.from_numpy(CORPUS[:1])):
        found = util.paraphrase_mining_embeddings(vectors, **options)  # type: ignore[arg-type]
        same_pairs(found, st_util.paraphrase_mining_embeddings(vectors, **options))


@pytest.mark.parametrize("most", [0, 1, 2, 40])
def test_the_best_paraphrases(most: int) -> None:
    """Theirs are asked for more: 5.7 counts both directions of a pair."""
    found = util.paraphrase_mining_embeddings(CORPUS, max_pairs=most)
    same_pairs(found, st_util.paraphrase_mining_embeddings(torch.from_numpy(CORPUS), max_pairs=2 * most + 1)[:most])


def test_paraphrases_of_other_forms(real_vectors: Any) -> None:
    tied = torch.from_numpy(TIED)
    same_pairs(util.paraphrase_mining_embeddings(tied), st_util.paraphrase_mining_embeddings(tied))
    for vectors in (torch.from_numpy(CORPUS / 9).double(), torch.from_numpy(real_vectors)):
        for score in SCORES:
            found = util.paraphrase_mining_embeddings(vectors, top_k=200, score_function=getattr(util, score))
            wanted = st_util.paraphrase_mining_embeddings(vectors, top_k=200, score_function=getattr(st_util, score))
            found, wanted = ([pair for pair in pairs if pair[0] > -1] for pairs in (found, wanted))  # 5.7 has no others
            same_pairs(found, wanted, 2e-3)  # torch takes equal vectors to be so far apart
    assert (
        util.paraphrase_mining_embeddings(CORPUS[:0]) == st_util.paraphrase_mining_embeddings(torch.empty(0, 12)) == []
    )


def test_paraphrases_of_texts(real: SentenceTransformer) -> None:
    texts = ["a cat sits outside", "she plays the guitar", "the cat is outdoors", "he is playing a guitar", "Ein Brot"]
    same_pairs(util.paraphrase_mining(real, texts), st_util.paraphrase_mining(real, texts))
    options = {"truncate_dim": 64, "prompt": "query: ", "top_k": 1}
    same_pairs(util.paraphrase_mining(real, texts, **options), st_util.paraphrase_mining(real, texts, **options))


@pytest.mark.parametrize(("threshold", "least"), [(0.75, 10), (0.8, 3), (0.9, 1), (0.2, 40), (-1.0, 5), (0.99, 400)])
@pytest.mark.parametrize("batch", [1, 64, 1024])
def test_communities(threshold: float, least: int, batch: int) -> None:
    found = util.community_detection(GROUPED, threshold, least, batch)
    assert found == st_util.community_detection(GROUPED, threshold, least, batch)


def test_communities_of_other_forms(real_vectors: Any) -> None:
    for vectors in (
        torch.from_numpy(GROUPED).float(),
        torch.from_numpy(GROUPED),
        GROUPED[:50],
        GROUPED[:0],
    ):
        assert util.community_detection(vectors, 0.6, 4) == st_util.community_detection(vectors, 0.6, 4)
    for vectors, threshold in ((TIED, 0.75), (real_vectors, 0.6)):
        found = util.community_detection(vectors, threshold, 2)
        wanted = st_util.community_detection(vectors, threshold, 2)
        assert sorted(map(sorted, found)) == sorted(map(sorted, wanted))
        assert list(map(len, found)) == list(map(len, wanted))


FAISS, USEARCH = ("float32", "uint8", "ubinary"), ("float32", "int8", "ubinary")


@pytest.mark.parametrize(
    ("package", "precision"), [*(("faiss", name) for name in FAISS), *(("usearch", name) for name in USEARCH)]
)
@pytest.mark.parametrize("top_k", [1, 10, 400])
def test_search_by_other_packages(package: str, precision: str, top_k: int) -> None:
    pytest.importorskip(package)
    ranges = np.vstack([CORPUS.min(axis=0), CORPUS.max(axis=0)])
    width = 8 if precision == "ubinary" else 12  # 5.7 cannot rescore where bytes are padded
    queries, vectors = QUERIES[:, :width], CORPUS[:, :width]
    corpus = util.quantize_embeddings(vectors, precision, ranges[:, :width])
    options = {"corpus_precision": precision, "top_k": top_k, "ranges": ranges[:, :width]}
    if package == "usearch":
        options["top_k"] = min(top_k, len(CORPUS))  # 5.7 gives entries twice where there are no more
    ours, theirs = (getattr(where, f"semantic_search_{package}") for where in (util, st_quantization))
    found = ours(queries, corpus, rescore=False, **options)
    wanted = theirs(queries, corpus, rescore=False, **options)
    assert [type(part) for part in found] == [type(part) for part in wanted]
    if precision == "float32" or package == "faiss":
        assert found[0] == wanted[0]
    else:
        scores = [[[hit["score"] for hit in hits] for hits in result[0]] for result in (found, wanted)]
        assert scores[0] == scores[1]
    assert len(ours(queries, corpus, output_index=True, **options)) == 3
    if precision == "ubinary" and package == "faiss":
        same_hits(ours(queries, corpus, **options)[0], theirs(queries, corpus, **options)[0])
