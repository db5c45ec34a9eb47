"""Metrics of rankings and vectors, and the differences between two peers' rankings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st.evaluation import ranking
from edge_st.evaluation.ranking import graded_ndcg

Ranking = Sequence[int]
Grades = Mapping[int, int]  # of relevant documents, above 0


def ndcg(rankings: Sequence[Ranking], grades: Sequence[Grades], k: int = 10) -> float:
    """The mean nDCG@k, with the grades as gains."""
    return float(np.mean([graded_ndcg(found, of, k) for found, of in zip(rankings, grades, strict=True)]))


def recall(rankings: Sequence[Ranking], grades: Sequence[Grades], k: int = 100) -> float:
    """The mean recall@k: the share of a query's relevant documents that are among its first ``k``."""
    pairs = zip(rankings, grades, strict=True)
    shares = [ranking.recall(np.isin([found], list(of)), np.array([len(of)]), k) for found, of in pairs]
    return float(np.mean(shares))


def cosines(vectors: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """The cosine of each row (texts, dim) to the same row of the reference: (texts,)."""
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in map(np.float64, (vectors, reference))]
    return np.sum(units[0] * units[1], axis=1)


@dataclass(frozen=True)
class RankingDifference:
    """How the rankings of two peers differ: the largest difference of a score, and the queries with another order.

    ``gap`` is the largest difference, by the reference's scores, of the two documents at the same rank.
    """

    score: float
    reordered: int
    gap: float


def ranking_difference(found: NDArray[Any], reference: NDArray[Any]) -> RankingDifference:
    """Compare rankings of the same documents for each query: (document, score) pairs (queries, documents, 2)."""
    (ids, scores), (other_ids, other_scores) = _by_document(found), _by_document(reference)
    same_rank = np.take_along_axis(other_scores, ids, axis=1) - np.take_along_axis(other_scores, other_ids, axis=1)
    return RankingDifference(
        score=float(np.max(np.abs(scores - other_scores))),
        reordered=int(np.sum(np.any(ids != other_ids, axis=1))),
        gap=float(np.max(np.abs(same_rank))),
    )


def _by_document(found: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The documents in order of rank, and the scores in order of document."""
    ids = found[..., 0].astype(np.int64)
    return ids, np.take_along_axis(found[..., 1], np.argsort(ids, axis=1), axis=1)
