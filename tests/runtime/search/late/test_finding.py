"""The best passages by MaxSim: all of them where they are few, the likely ones where they are many."""

from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.search.late.codec import PRECISIONS, TokenCodec
from edge_st_runtime.search.late.finding import Part, find
from edge_st_runtime.search.late.postings import Postings
from tests.support.late_passages import clustered, decoded, maxsim_of, part_of, passages

DIM = 16
LENGTHS = np.random.default_rng(5).integers(0, 9, 120).tolist()
QUERIES = [clustered(count, DIM, seed) for seed, count in enumerate((5, 1, 3), 50)]


@pytest.fixture(scope="module")
def codec() -> TokenCodec:
    return TokenCodec.trained(clustered(4000, DIM, 7), "int4")


@pytest.fixture(scope="module")
def parts(codec: TokenCodec) -> list[Part]:
    """Two segments."""
    found = passages(LENGTHS, DIM, 8)
    return [part_of(codec, found[:50]), part_of(codec, found[50:], 50)]


def best_of(query: Any, parts: list[Part], k: int) -> list[tuple[int, float]]:
    """Rows and scores of all passages with a token that are allowed, one by one in float64."""
    scored = [
        (part.start + row, maxsim_of(query, vectors))
        for part in parts
        for row, vectors in enumerate(decoded(part))
        if len(vectors) and (part.allowed is None or part.allowed[row])
    ]
    return sorted(scored, key=lambda found: (-found[1], found[0]))[:k]


def check(query: Any, parts: list[Part], scores: Any, rows: Any) -> None:
    expected = best_of(query, parts, len(rows))
    assert rows[: len(expected)].tolist() == [row for row, _ in expected]
    np.testing.assert_allclose(scores[: len(expected)], [score for _, score in expected], rtol=1e-4)
    assert (rows[len(expected) :] == -1).all()
    assert (scores[len(expected) :] == -np.inf).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_all_are_scored_where_they_are_few(precision: str) -> None:
    codec = TokenCodec.trained(clustered(4000, DIM, 7), precision)
    parts = [part_of(codec, passages(LENGTHS, DIM, 8))]
    scores, rows = find(QUERIES, parts, 200)
    assert (scores.dtype, rows.dtype) == (np.float32, np.int64)
    for each in zip(QUERIES, scores, rows, strict=True):
        check(each[0], parts, *each[1:])


def test_the_blocks_are_no_bounds(parts: list[Part], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = find(QUERIES, parts, 30)
    for tokens in (1, 10, 100):
        monkeypatch.setattr("edge_st_runtime.search.late.scoring._TOKENS", tokens)
        for found, wanted in zip(find(QUERIES, parts, 30), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_only_allowed_passages_are_found(codec: TokenCodec) -> None:
    found = passages(LENGTHS, DIM, 8)
    for allowed in (np.arange(120) % 3 == 0, np.arange(120) == 7, np.zeros(120, dtype=bool)):
        parts = [part_of(codec, found[:50], 0, allowed[:50]), part_of(codec, found[50:], 50, allowed[50:])]
        scores, rows = find(QUERIES[:1], parts, 20)
        check(QUERIES[0], parts, scores[0], rows[0])


def test_what_a_query_finds_does_not_depend_on_others(parts: list[Part]) -> None:
    scores, rows = find(QUERIES, parts, 10)
    for place, query in enumerate(QUERIES):
        alone = find([query], parts, 10)
        np.testing.assert_array_equal(alone[0][0], scores[place])
        np.testing.assert_array_equal(alone[1][0], rows[place])
        few = find([query], parts, 4)
        np.testing.assert_array_equal(few[0][0], scores[place][:4])


def test_equal_passages_are_in_the_order_of_their_rows(codec: TokenCodec) -> None:
    (own,) = passages([7], DIM, 12)
    found = passages([5] * 40, DIM, 13)
    for place in (3, 11, 12, 30, 39):
        found[place] = own
    scores, rows = find([own], [part_of(codec, found[:20]), part_of(codec, found[20:], 20)], 5)
    assert rows[0].tolist() == [3, 11, 12, 30, 39]
    assert len(set(scores[0].tolist())) == 1


def test_without_tokens_or_passages_nothing_is_found(codec: TokenCodec, parts: list[Part]) -> None:
    empty = np.empty((0, DIM), dtype=np.float32)
    scores, rows = find([empty, QUERIES[0]], parts, 3)
    assert (rows[0] == -1).all()
    assert (rows[1] >= 0).all()
    for none in ([], [part_of(codec, [empty, empty])]):
        assert (find(QUERIES, none, 3)[1] == -1).all()
    assert find([], parts, 3)[0].shape == (0, 3)
    assert scores[0].tolist() == [-np.inf] * 3


def test_the_likely_ones_hold_almost_all_of_the_best(codec: TokenCodec) -> None:
    """Of 1,000 passages 100 are scored; with as many candidates as passages none is missed."""
    parts = [part_of(codec, passages([12] * 500, DIM, 20)), part_of(codec, passages([12] * 500, DIM, 21), 500)]
    queries = [clustered(8, DIM, seed) for seed in range(100, 115)]
    every = find(queries, parts, 10, candidates=1000)[1]
    likely = find(queries, parts, 10, candidates=100)[1]
    found = np.mean([len(set(own) & set(best)) / 10 for own, best in zip(likely.tolist(), every.tolist(), strict=True)])
    assert found > 0.95
    check(queries[0], parts, *(each[0] for each in find(queries[:1], parts, 10, candidates=1000)))
    few = find(queries, parts, 10, candidates=1)[1]
    assert all(len(set(rows) - {-1}) == 10 for rows in few.tolist())


def test_filters_leave_candidates_to_those_that_may_be_found(codec: TokenCodec) -> None:
    vectors = passages([10] * 300, DIM, 22)
    allowed = np.arange(300) % 50 == 0
    parts = [part_of(codec, vectors, 0, allowed)]
    scores, rows = find(QUERIES[:1], parts, 6, candidates=6)
    check(QUERIES[0], parts, scores[0], rows[0])


def test_codes_that_point_beyond_their_segment(codec: TokenCodec) -> None:
    part = part_of(codec, passages([4] * 30, DIM, 23))
    beyond = Postings(part.postings.rows + np.int32(1000), part.postings.ends)
    with pytest.raises(DamagedFileError, match=r"a segment was changed since it was written .*; find the file with"):
        find(QUERIES, [Part(codec, part.columns, part.ends, beyond)], 2, candidates=5)
    columns = {**part.columns, "centroids": np.full_like(part.columns["centroids"], 60_000)}
    with pytest.raises(DamagedFileError, match="a segment was changed since it was written"):
        find(QUERIES, [Part(codec, columns, part.ends, part.postings)], 2)
