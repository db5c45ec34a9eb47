"""Fused rankings, against sums made by hand."""

import copy
from typing import Any

import pytest

from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.search.fusion import reciprocal_rank_fusion, weighted_fusion

Ranking = list[dict[str, Any]]


def ranking(**scores: float) -> Ranking:
    return [{"corpus_id": found, "score": score} for found, score in scores.items()]


WORDS, MEANING = ranking(a=12, b=9, c=2), ranking(c=0.9, d=0.8, a=0.4)


def check(found: Ranking, expected: dict[Any, float]) -> None:
    assert [hit["corpus_id"] for hit in found] == list(expected)
    assert [hit["score"] for hit in found] == pytest.approx(list(expected.values()))
    assert all(type(hit["score"]) is float and set(hit) == {"corpus_id", "score"} for hit in found)


def test_reciprocal_ranks() -> None:
    a, b, c, d = 1 / 61 + 1 / 63, 1 / 62, 1 / 63 + 1 / 61, 1 / 62
    check(reciprocal_rank_fusion([WORDS, MEANING]), {"a": a, "c": c, "b": b, "d": d})
    check(reciprocal_rank_fusion([MEANING, WORDS]), {"c": c, "a": a, "d": d, "b": b})
    check(reciprocal_rank_fusion([WORDS, MEANING], k=0, weights=[1, 3]), {"c": 3.333333, "a": 2, "d": 1.5, "b": 0.5})
    check(reciprocal_rank_fusion([WORDS, MEANING], top_k=1), {"a": a})


def test_weighted_scores() -> None:
    check(weighted_fusion([WORDS, MEANING]), {"a": 1.0, "c": 1.0, "d": 0.8, "b": 0.7})
    check(weighted_fusion([WORDS, MEANING], weights=[0.2, 0.8], top_k=2), {"c": 0.8, "d": 0.64})
    check(weighted_fusion([WORDS, MEANING], normalize=None), {"a": 12.4, "b": 9.0, "c": 2.9, "d": 0.8})
    check(weighted_fusion([ranking(a=-3, b=-3), ranking(b=5)]), {"b": 2.0, "a": 1.0})


@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, weighted_fusion])
def test_any_ids_and_empty_rankings(fuse: Any) -> None:
    assert fuse([]) == fuse([[]]) == fuse([[], []]) == []
    mixed: Ranking = [{"corpus_id": found, "score": 1, "text": "t"} for found in (3, "3", ("a", 1), None)]
    assert [hit["corpus_id"] for hit in fuse([[], mixed])] == [3, "3", ("a", 1), None]
    twice = ranking(a=3, b=2, c=1)
    assert fuse([twice + ranking(a=1)]) == fuse([twice])


@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, weighted_fusion])
def test_what_is_given_stays_as_it_is(fuse: Any) -> None:
    given = [copy.deepcopy(WORDS), copy.deepcopy(MEANING)]
    found = fuse(given)
    found[0]["score"] = -1
    assert given == [WORDS, MEANING]


@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, weighted_fusion])
@pytest.mark.parametrize("weights", [[1], [1, 1, 1], [1, -1], [1, float("nan")]], ids=str)
def test_wrong_weights(fuse: Any, weights: list[float]) -> None:
    with pytest.raises(OptionError, match="expected 2 numbers of 0 or more, one for each ranking"):
        fuse([WORDS, MEANING], weights=weights)


@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, weighted_fusion])
@pytest.mark.parametrize(
    ("rankings", "message"),
    [
        ([[WORDS], [MEANING]], "rankings for one query at a time"),
        ([[{"id": 1, "score": 1}]], "a ranking holds {'id': 1, 'score': 1}; expected"),
        ([[("a", 1.0)]], "expected {"),
        ([ranking(a=float("nan"))], "gives 'a' the score nan; expected a finite number"),
    ],
)
def test_what_is_no_ranking(fuse: Any, rankings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fuse(rankings)


def test_wrong_options() -> None:
    with pytest.raises(OptionError, match="k is -1; expected at least 0"):
        reciprocal_rank_fusion([WORDS], k=-1)
    with pytest.raises(OptionError, match="normalize is 'z-score'; expected 'min-max' or None"):
        weighted_fusion([WORDS], normalize="z-score")
    for fuse in (reciprocal_rank_fusion, weighted_fusion):
        with pytest.raises(OptionError, match="top_k must be a positive integer, got 0"):
            fuse([WORDS], top_k=0)
