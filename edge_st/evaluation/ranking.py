"""Metrics of rankings: of retrieved documents, and of scored documents.

Hits (queries, ranks) say of each retrieved document, best first, whether it is relevant to the query.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .statistics import Values, average_precision

Hits: TypeAlias = NDArray[np.bool_]


def accuracy(hits: Hits, k: int) -> Values:
    """1 where one of the first ``k`` documents is relevant, else 0: (queries,), from hits (queries, ranks)."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def precision(hits: Hits, k: int) -> Values:
    """The number of relevant documents among the first ``k``, over ``k``: (queries,), from hits (queries, ranks)."""
    return np.asarray(hits[:, :k].sum(axis=1) / k)


def recall(hits: Hits, relevant: NDArray[np.int64], k: int) -> Values:
    """The share of the relevant documents that are among the first ``k``: (queries,), from hits (queries, ranks).

    ``relevant`` (queries,) is the number of relevant documents of each query.
    """
    return hits[:, :k].sum(axis=1) / relevant


def reciprocal_rank(hits: Hits, k: int) -> Values:
    """1 / the rank of the first relevant document if it is among the first ``k``, else 0: (queries,)."""
    first = hits[:, :k]
    return np.where(first.any(axis=1), 1 / (first.argmax(axis=1) + 1), 0.0) if first.size else np.zeros(len(hits))


def mean_precision(hits: Hits, relevant: NDArray[np.int64], k: int) -> Values:
    """Average precision at ``k``: (queries,), from hits (queries, ranks) and ``relevant`` (queries,) as in `recall`."""
    first = hits[:, :k]
    shares = np.cumsum(first, axis=1) / np.arange(1, first.shape[1] + 1)
    return (shares * first).sum(axis=1) / np.minimum(relevant, k)


def binary_ndcg(hits: Hits, relevant: NDArray[np.int64], k: int) -> Values:
    """nDCG at ``k`` with gains of 0 and 1: (queries,), from hits (queries, ranks) and ``relevant`` as in `recall`."""
    first = hits[:, :k]
    ideal = np.cumsum(discounts(k))[np.minimum(relevant, k) - 1]
    return first @ discounts(first.shape[1]) / ideal


def graded_ndcg(ranking: Sequence[Any], grades: Mapping[Any, float], k: int = 10) -> float:
    """nDCG at ``k`` of a ranking of ids, best first, with the ``grades`` of relevant ids as gains.

    0 where there are no grades. This is trec_eval's definition, which BEIR reports.
    """
    gains = [grades.get(found, 0.0) for found in ranking[:k]]
    ideal = sorted(grades.values(), reverse=True)[:k]
    best = float(np.dot(ideal, discounts(len(ideal))))
    return float(np.dot(gains, discounts(len(gains)))) / best if best else 0.0


def discounts(count: int) -> Values:
    """The discounts 1 / log2(1 + rank) of ranks 1 to ``count``: (count,)."""
    return 1 / np.log2(np.arange(2, count + 2))


def tied_ndcg(relevant: ArrayLike, scores: ArrayLike, k: int) -> float:
    """nDCG at ``k`` of scored documents (n,); 0 where none is relevant. Equal scores share the mean of their gains.

    Source: sklearn.metrics.ndcg_score.
    """
    gains = np.asarray(relevant, dtype=np.float64)
    worth = np.where(np.arange(len(gains)) < k, discounts(len(gains)), 0.0)
    best = np.sort(gains)[::-1] @ worth
    if not best:
        return 0.0
    _, groups, counts = np.unique(-np.asarray(scores), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    sums = np.diff(np.concatenate(([0.0], np.cumsum(worth)))[np.append(0, ends)])
    return float(np.bincount(groups, gains) / counts @ sums / best)


class RankMeasures(NamedTuple):
    """Average precision, and reciprocal rank and nDCG at some k: of one query, or their means."""

    map: float
    mrr: float
    ndcg: float


NOTHING_FOUND = RankMeasures(0.0, 0.0, 0.0)


def scored_measures(relevant: ArrayLike, scores: ArrayLike, k: int, order: NDArray[np.int64]) -> RankMeasures:
    """The metrics of scored documents (n,); ``order`` (n,) is their ranking, best first."""
    truth = np.asarray(relevant)
    rank = reciprocal_rank(truth[order].astype(bool)[None], k)[0]
    return RankMeasures(average_precision(truth, scores), float(rank), tied_ndcg(truth, scores, k))


def listed_measures(relevant: Sequence[int], positives: int, k: int) -> RankMeasures:
    """The metrics of a ranking, best first: ``relevant`` (n,) is 1 for a relevant document, else 0.

    ``positives`` is the number of all relevant documents. Those that the ranking lacks count as its last ones. A
    ranking without any relevant document gives `NOTHING_FOUND`.
    """
    if not any(relevant):
        return NOTHING_FOUND
    truth = [*relevant, *[1] * (positives - sum(relevant))]
    return scored_measures(truth, np.arange(len(truth), 0, -1), k, np.arange(len(truth)))


def mean_measures(found: Sequence[RankMeasures]) -> RankMeasures:
    """The mean of each metric; NaN for an empty list."""
    return RankMeasures(*(np.mean(found, axis=0).tolist() if found else [float("nan")] * 3))


def at_k_metrics(measures: RankMeasures, k: int) -> dict[str, float]:
    """The metrics by the names that evaluators give them."""
    return {"map": measures.map, f"mrr@{k}": measures.mrr, f"ndcg@{k}": measures.ndcg}
