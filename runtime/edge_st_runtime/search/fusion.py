"""Fusion: combine several rankings for one query, such as those of BM25 and of embeddings, into one.

A ranking is a list of ``{"corpus_id": …, "score": …}``, best first, as semantic_search returns it. Ids may be of any
hashable type. Where a ranking has an id twice, the first one counts.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..checks import check_count
from ..errors import InputError, OptionError

Ranking: TypeAlias = Sequence[Mapping[str, Any]]


def reciprocal_rank_fusion(
    rankings: Sequence[Ranking], k: float = 60, weights: Sequence[float] | None = None, top_k: int | None = None
) -> list[dict[str, Any]]:
    """The ``top_k`` best (None: all) by the sum of weight / (k + rank) over all rankings; ranks count from 1.

    Ids with equal scores are in the order in which they first appear. ``weights`` has one number for each ranking;
    None: each has weight 1. Raises OptionError for ``k`` below 0, ``top_k`` below 1, negative weights and a wrong
    number of weights, and InputError for anything but rankings. Source: Cormack, Clarke and Büttcher, Reciprocal Rank
    Fusion (SIGIR 2009).
    """
    if not _is_number(k) or not k >= 0:
        raise OptionError(f"k is {k}; expected at least 0, such as 60")
    shares = [{found: 1 / (k + rank) for rank, found in enumerate(_scores(ranking), 1)} for ranking in rankings]
    return _fuse(shares, weights, top_k)


def weighted_fusion(
    rankings: Sequence[Ranking],
    weights: Sequence[float] | None = None,
    normalize: str | None = "min-max",
    top_k: int | None = None,
) -> list[dict[str, Any]]:
    """The ``top_k`` best (None: all) by the weighted sum of their scores; a ranking without an id adds 0 for it.

    ``normalize="min-max"`` scales the scores of each ranking to 0 to 1 (to 1 where all are equal); None takes them as
    they are. Other arguments and errors are those of `reciprocal_rank_fusion`. Raises OptionError for another
    ``normalize``.
    """
    if normalize not in ("min-max", None):
        raise OptionError(f"normalize is {normalize!r}; expected 'min-max' or None")
    scores = [_scores(ranking) for ranking in rankings]
    return _fuse([_to_unit(each) for each in scores] if normalize else scores, weights, top_k)


def _scores(ranking: Ranking) -> dict[Hashable, float]:
    scores: dict[Hashable, float] = {}
    for hit in ranking:
        try:
            score = float(hit["score"])
            found = hit["corpus_id"]
            scores.setdefault(int(found) if isinstance(found, np.integer) else found, score)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f'a ranking holds {hit!r:.80}; expected {{"corpus_id": ..., "score": ...}}, and rankings for one query '
                "at a time"
            ) from error
        if not math.isfinite(score):
            raise InputError(f"a ranking gives {hit['corpus_id']!r} the score {score}; expected a finite number")
    return scores


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _to_unit(scores: Mapping[Hashable, float]) -> dict[Hashable, float]:
    least, most = min(scores.values(), default=0), max(scores.values(), default=0)
    return {found: (score - least) / (most - least) if most > least else 1.0 for found, score in scores.items()}


def _fuse(
    rankings: Sequence[Mapping[Hashable, float]], weights: Sequence[float] | None, top_k: int | None
) -> list[dict[str, Any]]:
    weights = [1.0] * len(rankings) if weights is None else list(weights)
    if len(weights) != len(rankings) or not all(_is_number(weight) and 0 <= weight < math.inf for weight in weights):
        raise OptionError(f"weights are {weights}; expected {len(rankings)} numbers of 0 or more, one for each ranking")
    if top_k is not None:
        check_count("top_k", top_k)
    sums: dict[Hashable, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for found, score in ranking.items():
            sums[found] = sums.get(found, 0.0) + float(weight) * score
    ordered = sorted(sums.items(), key=lambda item: -item[1])
    return [{"corpus_id": found, "score": score} for found, score in ordered[:top_k]]
