"""Statistics of scores against labels or gold scores: correlation, average precision, best thresholds, F1.

The results, ties included, equal those of SciPy, scikit-learn and sentence-transformers' search for thresholds.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.errors import InputError
from edge_st_runtime.vectors.parity import pearson

Values: TypeAlias = NDArray[np.float64]


def average_ranks(values: ArrayLike) -> Values:
    """Ranks (n,) from 1; equal values share the mean of their ranks. Source: scipy.stats.rankdata."""
    _, places, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's correlation of two (n,) arrays: `pearson` of their `average_ranks`; NaN where a value is NaN.

    Source: scipy.stats.spearmanr.
    """
    if np.isnan(first).any() or np.isnan(second).any():
        return float("nan")
    return pearson(average_ranks(first), average_ranks(second))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Average precision: the precision at each distinct score, weighted by the gain in recall.

    ``labels`` (n,) are 0 and 1; without a 1 the result is 0.

    Source: sklearn.metrics.average_precision_score.
    """
    truth, scores = np.asarray(labels), np.asarray(scores)
    if not truth.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    truth, scores = truth[order], scores[order]
    ends = last_of_equal(scores)
    found = np.cumsum(truth)[ends]
    return float(np.diff(found, prepend=0) @ (found / (ends + 1)) / found[-1])


def matthews_correlation(labels: ArrayLike, predicted: ArrayLike) -> float:
    """Matthews' correlation of two (n,) arrays of 0 and 1; 0 where one is constant.

    Source: sklearn.metrics.matthews_corrcoef.
    """
    a, b = np.asarray(labels, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    return 0.0 if a.std() == 0 or b.std() == 0 else pearson(a, b)


def f1_averages(labels: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """The averages of F1 over all classes: ``macro``, ``micro``, and ``weighted`` by the number of labels of a class.

    Source: sklearn.metrics.f1_score.
    """
    truth, guess = np.asarray(labels), np.asarray(predicted)
    classes, places = np.unique(np.concatenate((truth, guess)), return_inverse=True)
    truth, guess = places[: len(truth)], places[len(truth) :]
    actual, named, hit = (np.bincount(x, minlength=len(classes)) for x in (truth, guess, truth[truth == guess]))
    each = 2 * hit / (actual + named)
    return {
        "macro": float(each.mean()),
        "micro": float(hit.sum() / len(truth)),
        "weighted": float(np.average(each, weights=actual)),
    }


@dataclass(frozen=True)
class BestF1:
    """The best F1 at any threshold, with its precision and recall."""

    f1: float
    precision: float
    recall: float
    threshold: float


def best_accuracy(scores: ArrayLike, labels: ArrayLike, high_score_more_similar: bool) -> tuple[float, float]:
    """The best accuracy at any threshold, and that threshold; 0 and -1 without pairs.

    A threshold lies half-way between two neighbouring scores (n,) that differ, on the last score, or just before the
    first, so that no pair is similar.
    """
    sorted_scores, positives = _by_score(scores, labels, high_score_more_similar)
    if not len(sorted_scores):
        return 0.0, -1.0
    ends = last_of_equal(sorted_scores)
    negatives, count = np.cumsum(~positives), len(positives)
    right = np.cumsum(positives)[ends] + (negatives[-1] - negatives)[ends]
    best = int(np.argmax(right))
    if right[best] > negatives[-1]:
        return float(right[best] / count), _between(sorted_scores, int(ends[best]))
    kind = np.result_type(sorted_scores.dtype, np.float16).type
    before = np.nextafter(kind(sorted_scores[0]), kind(np.inf if high_score_more_similar else -np.inf))
    return float(negatives[-1] / count), float(before)


def best_f1(scores: ArrayLike, labels: ArrayLike, high_score_more_similar: bool) -> BestF1:
    """The best F1 at any threshold as in `best_accuracy`; all values are 0 where there is no positive."""
    sorted_scores, positives = _by_score(scores, labels, high_score_more_similar)
    if not positives.any():
        return BestF1(0.0, 0.0, 0.0, 0.0)
    ends = last_of_equal(sorted_scores)
    found = np.cumsum(positives)[ends]
    precision, recall = found / (ends + 1), found / positives.sum()
    both = precision + recall
    f1 = 2 * precision * recall / np.where(both, both, 1)
    best = int(np.argmax(f1))
    threshold = _between(sorted_scores, int(ends[best]))
    return BestF1(float(f1[best]), float(precision[best]), float(recall[best]), threshold)


def at_best_thresholds(scores: ArrayLike, labels: ArrayLike, high_score_more_similar: bool) -> dict[str, float]:
    """Accuracy at its best threshold; F1, precision and recall at the best threshold of F1."""
    accuracy, accuracy_threshold = best_accuracy(scores, labels, high_score_more_similar)
    best = best_f1(scores, labels, high_score_more_similar)
    return {
        "accuracy": accuracy,
        "accuracy_threshold": accuracy_threshold,
        "f1": best.f1,
        "f1_threshold": best.threshold,
        "precision": best.precision,
        "recall": best.recall,
    }


def last_of_equal(scores: NDArray[Any]) -> NDArray[np.int64]:
    """The last place of each run of equal scores."""
    return np.flatnonzero(np.append(scores[1:] != scores[:-1], True))


def _by_score(scores: ArrayLike, labels: ArrayLike, descending: bool) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    found, positives = np.asarray(scores), np.asarray(labels) == 1
    if len(found) != len(positives):
        raise InputError(f"{len(found)} scores and {len(positives)} labels; expected the same number of each")
    order = np.argsort(-found if descending else found, kind="stable")
    return found[order], positives[order]


def _between(scores: NDArray[Any], place: int) -> float:
    """A threshold that includes the score at ``place`` and not the next one: their middle, unless it is rounded."""
    if place == len(scores) - 1:
        return float(scores[place])
    middle = (scores[place] + scores[place + 1]) / 2
    return float(scores[place] if middle == scores[place + 1] else middle)
