"""Mining of paraphrases: what comparing every pair with every other gives, however it is cut into pieces."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st import SentenceTransformer
from edge_st.util import cos_sim, dot_score, euclidean_sim, paraphrase_mining, paraphrase_mining_embeddings
from edge_st_runtime.errors import InputError, OptionError

Pairs = list[list[float | int]]
VECTORS = np.random.default_rng(0).standard_normal((30, 6)).astype(np.float32)
#: of three directions, so that most scores are shared by several pairs
TIED = np.eye(3, dtype=np.float32)[[0, 1, 0, 2, 1, 0, 2]]


def naive(vectors: NDArray[Any], score: Callable[..., Any] = cos_sim) -> Pairs:
    """Every pair, best first, equal ones in any order."""
    scores = np.asarray(score(vectors, vectors))
    return sorted(([float(scores[i, j]), i, j] for i, j in combinations(range(len(vectors)), 2)), reverse=True)


def assert_same(found: Pairs, expected: Pairs) -> None:
    """The same pairs with the same scores, best first, each once and with the lower position first."""
    assert [pair[0] for pair in found] == pytest.approx([pair[0] for pair in expected], abs=1e-6)
    assert all(type(i) is int and type(j) is int and i < j for _, i, j in found)
    assert sorted((i, j) for _, i, j in found) == sorted((i, j) for _, i, j in expected)


@pytest.mark.parametrize("score", [cos_sim, dot_score])
@pytest.mark.parametrize("vectors", [VECTORS / 9, TIED], ids=["random", "tied"])
def test_every_pair_is_found(vectors: NDArray[Any], score: Callable[..., Any]) -> None:
    assert_same(paraphrase_mining_embeddings(vectors, score_function=score), naive(vectors, score))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 100), (7, 4), (4, 7), (30, 30), (29, 31)])
@pytest.mark.parametrize("vectors", [VECTORS, TIED], ids=["random", "tied"])
def test_chunks_change_nothing(vectors: NDArray[Any], rows: int, columns: int) -> None:
    assert_same(paraphrase_mining_embeddings(vectors, rows, columns), naive(vectors))


def test_a_pair_is_found_where_it_is_among_the_nearest_of_either() -> None:
    scores = cos_sim(VECTORS, VECTORS)
    for top_k in (1, 2, 5):
        near = {
            tuple(sorted((i, j)))
            for i, row in enumerate(np.where(np.eye(len(scores), dtype=bool), -np.inf, scores))
            for j in np.argsort(-row)[:top_k].tolist()
        }
        found = paraphrase_mining_embeddings(VECTORS, top_k=top_k)
        assert_same(found, [pair for pair in naive(VECTORS) if (pair[1], pair[2]) in near])


@pytest.mark.parametrize("most", [0, 1, 2, 3, 10, 11, 100, 434, 435, 999])
@pytest.mark.parametrize(("rows", "columns"), [(3, 5000), (5000, 5000), (4, 7)])
def test_of_too_many_pairs_the_best_are_kept(most: int, rows: int, columns: int) -> None:
    found = paraphrase_mining_embeddings(VECTORS, rows, columns, max_pairs=most)
    assert len(found) == min(most, 435)
    assert_same(found, naive(VECTORS)[:most])


@pytest.mark.parametrize("columns", [1, 4, 9, 30])
def test_the_nearest_are_those_of_all_chunks(columns: int) -> None:
    nearest = paraphrase_mining_embeddings(VECTORS, top_k=2)
    assert_same(paraphrase_mining_embeddings(VECTORS, 7, columns, top_k=2), nearest)


def test_equal_scores_are_in_the_order_of_the_rows() -> None:
    found = paraphrase_mining_embeddings(TIED, max_pairs=7)
    assert [pair[1:] for pair in found] == [[0, 2], [0, 5], [1, 4], [2, 5], [3, 6], [0, 1], [0, 3]]


def test_scores_may_be_any_number() -> None:
    opposite = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    assert paraphrase_mining_embeddings(opposite) == [[-1, 0, 1]]
    far = np.array([[0, 0], [0.5, 0], [9, 0]], dtype=np.float32)
    assert paraphrase_mining_embeddings(far, score_function=euclidean_sim) == [[-0.5, 0, 1], [-8.5, 1, 2], [-9, 0, 2]]

    def without_a_score(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
        return np.full((len(one), len(other)), np.nan)

    assert paraphrase_mining_embeddings(far, score_function=without_a_score) == []


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_rows_have_no_pairs(count: int) -> None:
    assert paraphrase_mining_embeddings(VECTORS[:count]) == []


def test_what_may_be_an_embedding() -> None:
    assert_same(paraphrase_mining_embeddings([[1, 0], [0, 2], [1, 1]]), naive(np.array([[1, 0], [0, 2], [1, 1]])))
    doubles = paraphrase_mining_embeddings(VECTORS.astype(np.float64), top_k=1)
    assert doubles[0][0] == pytest.approx(
        float(np.sort(cos_sim(*[VECTORS.astype(np.float64)] * 2)[np.triu_indices(30, 1)])[-1])
    )
    assert paraphrase_mining_embeddings([]) == []
    with pytest.raises(InputError, match=r"embeddings\[2\] holds NaN or an infinity"):
        paraphrase_mining_embeddings(np.array([[1, 0], [0, 1], [np.nan, 1]]))


@pytest.mark.parametrize(
    ("name", "number"), [("query_chunk_size", 0), ("corpus_chunk_size", 0), ("max_pairs", -1), ("top_k", 0)]
)
def test_numbers_below_one_are_refused(name: str, number: int, bundled: SentenceTransformer) -> None:
    wrong: Any = {name: number}
    for call in (
        lambda: paraphrase_mining_embeddings(VECTORS, **wrong),
        lambda: paraphrase_mining(bundled, SENTENCES, **wrong),
    ):
        with pytest.raises(OptionError, match=f"{name} must be a positive integer, got {number}"):
            call()


@pytest.fixture(scope="module")
def bundled() -> SentenceTransformer:
    return SentenceTransformer()


SENTENCES = ["a cat sits outside", "she plays the guitar", "the cat is sitting outdoors", "he is playing a guitar"]


def test_sentences_find_their_paraphrases(bundled: SentenceTransformer) -> None:
    found = paraphrase_mining(bundled, SENTENCES)
    assert {(i, j) for _, i, j in found[:2]} == {(0, 2), (1, 3)}
    assert_same(found, naive(bundled.encode(SENTENCES)))
    cut = paraphrase_mining(bundled, SENTENCES, truncate_dim=32, prompt="", query_chunk_size=1, corpus_chunk_size=3)
    assert_same(cut, naive(bundled.encode(SENTENCES, truncate_dim=32)))


@pytest.mark.parametrize("sentences", [[], ["one"]])
def test_one_sentence_or_none_has_no_pairs(bundled: SentenceTransformer, sentences: Sequence[str]) -> None:
    assert paraphrase_mining(bundled, sentences) == []
