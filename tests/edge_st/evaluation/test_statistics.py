"""Statistics and ranking metrics against values computed by hand, and against plain definitions on random data."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest

from edge_st.evaluation.ranking import NOTHING_FOUND, graded_ndcg, listed_measures, mean_measures, tied_ndcg
from edge_st.evaluation.statistics import (
    BestF1,
    average_precision,
    average_ranks,
    best_accuracy,
    best_f1,
    f1_averages,
    matthews_correlation,
    spearman,
)
from edge_st_runtime.errors import InputError
from edge_st_runtime.vectors.parity import pearson

LOG3 = math.log2(3)


def samples(values: int = 6, count: int = 40) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Scores of few distinct values, and labels of which at least one is 0 and one 1."""
    generator = np.random.default_rng(5)
    for _ in range(count):
        size = int(generator.integers(2, 25))
        labels = generator.integers(0, 2, size)
        labels[generator.choice(size, 2, replace=False)] = 0, 1
        yield generator.integers(0, values, size).astype(np.float64), labels


@pytest.mark.parametrize(
    ("values", "ranks"),
    [([], []), ([3.5], [1]), ([2, 1, 2, 0], [3.5, 2, 3.5, 1]), ([7, 7, 7], [2, 2, 2]), ([-1, 5, 0], [1, 3, 2])],
)
def test_equal_values_share_the_mean_of_their_ranks(values: list[float], ranks: list[float]) -> None:
    np.testing.assert_array_equal(average_ranks(values), ranks)


def test_a_rank_is_how_many_are_less_and_half_of_the_equal_others() -> None:
    for scores, _ in samples():
        wanted = [1 + sum(b < a for b in scores) + (sum(b == a for b in scores) - 1) / 2 for a in scores]
        np.testing.assert_allclose(average_ranks(scores), wanted)


@pytest.mark.parametrize(
    ("first", "second", "linear", "by_rank"),
    [
        ([1, 2, 3], [10, 20, 30], 1, 1),
        ([1, 2, 3], [3, 2, 1], -1, -1),
        ([0, 1, 2], [0, 1, 4], 4 / math.sqrt(2 * 78 / 9), 1),
        ([1, 2, 2, 3], [1, 2, 3, 4], 3 / math.sqrt(10), 4.5 / math.sqrt(22.5)),
        ([0, 1, 0, 1], [0, 0, 1, 1], 0, 0),
    ],
)
def test_correlations(first: list[float], second: list[float], linear: float, by_rank: float) -> None:
    assert pearson(first, second) == pytest.approx(linear)
    assert spearman(first, second) == pytest.approx(by_rank)
    assert spearman(second, first) == pytest.approx(by_rank)


@pytest.mark.parametrize("correlation", [pearson, spearman])
def test_a_constant_correlates_with_nothing(correlation: Callable[..., float]) -> None:
    assert math.isnan(correlation([0.1] * 3, [1, 2, 3]))
    assert math.isnan(correlation([1, 2, 3], [0.1] * 3))


def test_pearson_stays_within_one_and_does_not_mind_large_offsets() -> None:
    values = np.random.default_rng(0).standard_normal(50)
    assert pearson(values, values * 3) <= 1
    assert pearson(values + 1e8, 2 * values) == pytest.approx(1, abs=1e-6)


def test_spearman_knows_only_the_order() -> None:
    for scores, labels in samples():
        assert spearman(scores, labels) == pytest.approx(spearman(np.exp(scores), labels), nan_ok=True)


@pytest.mark.parametrize(
    ("first", "second", "shapes"), [([1, 2], [1], r"\(2,\) and \(1,\)"), ([1], [2], r"\(1,\)"), ([], [], r"\(0,\)")]
)
def test_a_correlation_takes_two_of_the_same_length(first: list[float], second: list[float], shapes: str) -> None:
    for correlation in (pearson, spearman):
        with pytest.raises(
            InputError, match=rf"values of shape {shapes}.*; a correlation takes two arrays \(n,\) of the same length"
        ):
            correlation(first, second)


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([1, 0, 1], [3, 2, 1], (1 + 2 / 3) / 2),
        ([0, 1], [2, 1], 0.5),
        ([0, 1], [1, 1], 0.5),
        ([1, 0, 1, 0], [2, 2, 1, 1], 0.5),
        ([1, 1], [1, 2], 1),
        ([0, 0], [1, 2], 0),
    ],
)
def test_average_precision(labels: list[int], scores: list[float], expected: float) -> None:
    assert average_precision(labels, scores) == pytest.approx(expected)


def test_average_precision_by_its_definition() -> None:
    for scores, labels in samples():
        total, before = 0.0, 0.0
        for threshold in sorted(set(scores), reverse=True):
            found = labels[scores >= threshold]
            reached = found.sum() / labels.sum()
            total, before = total + (reached - before) * found.mean(), reached
        assert average_precision(labels, scores) == pytest.approx(total)


@pytest.mark.parametrize(
    ("labels", "predicted", "expected"),
    [
        ([1, 0, 1, 0], [1, 0, 1, 0], 1),
        ([1, 0, 1, 0], [0, 1, 0, 1], -1),
        ([1, 1, 0, 0], [1, 1, 1, 0], 2 / math.sqrt(3 * 2 * 2 * 1)),
        ([1, 1, 1], [1, 0, 1], 0),
        ([1, 0, 1], [0, 0, 0], 0),
    ],
)
def test_matthews_correlation(labels: list[int], predicted: list[int], expected: float) -> None:
    assert matthews_correlation(labels, predicted) == pytest.approx(expected)
    assert matthews_correlation(labels, np.array(predicted, dtype=bool)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "predicted", "expected"),
    [
        ([0, 1, 2], [0, 1, 2], (1, 1, 1)),
        ([0, 0, 1], [0, 1, 1], (2 / 3, 2 / 3, 2 / 3)),
        ([0, 0, 0, 1], [0, 0, 0, 0], ((6 / 7) / 2, 0.75, 6 / 7 * 0.75)),
        ([0, 0], [0, 9], (1 / 3, 0.5, 2 / 3)),
        ([5, 5], [5, 5], (1, 1, 1)),
    ],
)
def test_f1_over_classes(labels: list[int], predicted: list[int], expected: tuple[float, float, float]) -> None:
    macro, micro, weighted = expected
    assert f1_averages(labels, predicted) == pytest.approx({"macro": macro, "micro": micro, "weighted": weighted})


@pytest.mark.parametrize(
    ("scores", "labels", "accuracy", "threshold"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1, 0.5),
        ([4, 3, 2, 1], [1, 0, 1, 0], 0.75, 3.5),
        ([2, 1], [1, 1], 1, 1),
        ([1, 2], [0, 0], 1, 2),
        ([1], [1], 1, 1),
        ([2, 1, 1, 0], [1, 1, 0, 0], 0.75, 1.5),
        ([3, 3, 1], [0, 1, 1], 2 / 3, 1),
        ([], [], 0, -1),
    ],
)
def test_the_best_accuracy(scores: list[float], labels: list[int], accuracy: float, threshold: float) -> None:
    assert best_accuracy(scores, labels, True) == pytest.approx((accuracy, threshold))
    negated = -np.array(scores)
    expected = (accuracy, -threshold if len(scores) else threshold)
    assert best_accuracy(negated, labels, False) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], BestF1(1, 1, 1, 0.5)),
        ([4, 3, 2, 1], [1, 0, 1, 0], BestF1(0.8, 2 / 3, 1, 1.5)),
        ([2, 1], [0, 0], BestF1(0, 0, 0, 0)),
        ([2, 1], [0, 1], BestF1(2 / 3, 1 / 2, 1, 1)),
        ([1], [1], BestF1(1, 1, 1, 1)),
        ([2, 2, 1], [0, 1, 1], BestF1(0.8, 2 / 3, 1, 1)),
        ([3, 2, 2, 1], [1, 0, 1, 0], BestF1(0.8, 2 / 3, 1, 1.5)),
        ([], [], BestF1(0, 0, 0, 0)),
    ],
)
def test_the_best_f1(scores: list[float], labels: list[int], expected: BestF1) -> None:
    assert best_f1(scores, labels, True) == expected
    assert best_f1(-np.array(scores), labels, False).f1 == expected.f1


def test_a_middle_that_is_rounded_to_the_next_score_is_no_threshold() -> None:
    near = np.array([np.nextafter(np.float32(1), np.float32(2)), 1], dtype=np.float32)
    for found in (best_accuracy(near, [1, 0], True)[1], best_f1(near, [1, 0], True).threshold):
        assert near[0] >= found > near[1]


def test_no_pair_is_similar_where_that_is_best() -> None:
    accuracy, threshold = best_accuracy(np.array([2, 1], dtype=np.float32), [0, 0], True)
    assert (accuracy, threshold) == (1, np.nextafter(np.float32(2), np.float32(3)))


def test_no_other_threshold_between_scores_does_better() -> None:
    generator = np.random.default_rng(8)
    for _, labels in samples():
        scores = generator.permutation(len(labels)).astype(np.float64)
        between = np.arange(-1, len(labels)) + 0.5
        accuracy, threshold = best_accuracy(scores, labels, True)
        shares = [np.mean((scores > each) == (labels == 1)) for each in between]
        assert accuracy == pytest.approx(max(shares)) == pytest.approx(np.mean((scores >= threshold) == labels))
        found = best_f1(scores, labels, True)
        marked = [(labels[scores > each].sum(), (scores > each).sum()) for each in between]
        f1 = [2 * hits / (count + labels.sum() or 1) for hits, count in marked]
        assert found.f1 == pytest.approx(max(f1))
        if found.f1:
            assert found.precision == pytest.approx(labels[scores >= found.threshold].mean())
            assert found.recall == pytest.approx(labels[scores >= found.threshold].sum() / labels.sum())


@pytest.mark.parametrize("search", [best_accuracy, best_f1])
def test_a_threshold_needs_a_label_for_each_score(search: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="2 scores and 1 labels; expected the same number of each"):
        search([1, 2], [1], True)


@pytest.mark.parametrize(
    ("relevant", "scores", "k", "expected"),
    [
        ([1, 0, 0], [3, 2, 1], 3, 1),
        ([0, 1, 0], [3, 2, 1], 3, 1 / LOG3),
        ([0, 1, 0], [3, 2, 1], 1, 0),
        ([0, 1], [1, 1], 2, (1 + 1 / LOG3) / 2),
        ([0, 1], [1, 1], 1, 0.5),
        ([0, 0], [1, 2], 2, 0),
    ],
)
def test_ndcg_of_scores(relevant: list[int], scores: list[float], k: int, expected: float) -> None:
    assert tied_ndcg(relevant, scores, k) == pytest.approx(expected)


def test_ties_give_the_mean_over_every_order_of_them() -> None:
    generator = np.random.default_rng(2)
    for _ in range(12):
        scores, relevant = generator.integers(0, 3, 5), [1, *generator.integers(0, 2, 4).tolist()]
        found = []
        for order in permutations(range(5)):
            if all(scores[a] >= scores[b] for a, b in pairwise(order)):
                gains = {place: gain for place, gain in enumerate(relevant) if gain}
                found.append(graded_ndcg(order, gains, 3))
        assert tied_ndcg(relevant, scores, 3) == pytest.approx(np.mean(found))


@pytest.mark.parametrize(
    ("ranking", "grades", "k", "expected"),
    [
        ("ab", {"a": 2, "b": 1}, 10, 1),
        ("ba", {"a": 2, "b": 1}, 10, (1 + 2 / LOG3) / (2 + 1 / LOG3)),
        ("xa", {"a": 2, "b": 1}, 1, 0),
        ("xa", {"a": 1, "b": 1, "c": 1}, 2, (1 / LOG3) / (1 + 1 / LOG3)),
        ("", {"a": 1}, 10, 0),
        ("ab", {}, 10, 0),
        ("ab", {"a": 0}, 10, 0),
    ],
)
def test_ndcg_of_grades(ranking: str, grades: dict[str, float], k: int, expected: float) -> None:
    assert graded_ndcg(list(ranking), grades, k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("relevant", "positives", "k", "expected"),
    [
        ([1, 0], 1, 10, (1, 1, 1)),
        ([0, 1], 1, 10, (0.5, 0.5, 1 / LOG3)),
        ([0, 1], 1, 1, (0.5, 0, 0)),
        ([1, 0], 2, 10, ((1 + 2 / 3) / 2, 1, (1 + 1 / 2) / (1 + 1 / LOG3))),
        ([0, 0], 2, 10, (0, 0, 0)),
        ([], 2, 10, (0, 0, 0)),
    ],
)
def test_a_ranking_ends_with_what_it_lacks(
    relevant: Sequence[int], positives: int, k: int, expected: tuple[float, float, float]
) -> None:
    assert listed_measures(relevant, positives, k) == pytest.approx(expected)


def test_means_of_measures() -> None:
    assert mean_measures([NOTHING_FOUND, listed_measures([1], 1, 10)]) == (0.5, 0.5, 0.5)
    assert all(map(math.isnan, mean_measures([])))
