"""The texts nearest to each query, and which of them become its negatives."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import InputError
from edge_st_runtime.search.exact import largest, top_k

from ...progress import progress_bar
from ..external_indexes import faiss_index
from .data import Pairs
from .embeddings import Embedded, processes
from .settings import Encoding, Selection

_QUERIES_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Candidates:
    """Texts near to each query: ``ids`` (queries, width) int64 and ``scores``, float; -1 and -inf where there are none.

    ``positive_scores`` (pairs,) are those of the queries with their own positives.
    """

    ids: NDArray[np.int64]
    scores: NDArray[Any]
    positive_scores: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Chosen(Candidates):
    """The negatives (queries, num_negatives), best first, and how many of ``count`` candidates each limit left out."""

    count: int
    skipped: Mapping[str, int]


def find_candidates(
    model: Any, pairs: Pairs, embedded: Embedded, selection: Selection, queries_at_once: int, *, use_faiss: bool
) -> Candidates:
    """The texts nearest to each query: as many as ``selection`` looks at, and its positives besides."""
    width = selection.last + pairs.most
    if use_faiss:
        scores, ids = _by_faiss(embedded, width, queries_at_once)
    else:
        scores, ids = top_k(embedded.queries, embedded.corpus, width, model.similarity, queries_at_once)
    room = ((0, 0), (0, width - scores.shape[1]))
    queries, positives = embedded.queries[pairs.owners], embedded.corpus[pairs.texts]
    return Candidates(
        ids=np.pad(ids, room, constant_values=-1),
        scores=np.pad(scores, room, constant_values=-np.inf),
        positive_scores=np.asarray(model.similarity_pairwise(queries, positives)),
    )


def rescore(cross_encoder: Any, pairs: Pairs, candidates: Candidates, encoding: Encoding) -> Candidates:
    """``candidates`` with the scores that ``cross_encoder`` gives; raises InputError where one is not finite."""
    scores = np.full(candidates.scores.shape, -np.inf, dtype=np.float32)
    queries, corpus = pairs.queries, pairs.corpus
    show = encoding.verbose
    with (
        processes(cross_encoder, encoding) as pool,
        progress_bar(len(scores), show, "query", "Rescoring with CrossEncoder") as advance,
    ):
        for start in range(0, len(scores), _QUERIES_AT_ONCE):
            ids = candidates.ids[start : start + _QUERIES_AT_ONCE]
            rows, columns = np.nonzero(ids >= 0)
            asked = [
                (queries[start + row], corpus[ids[row, column]]) for row, column in zip(rows, columns, strict=True)
            ]
            scores[start + rows, columns] = _predict(cross_encoder, asked, encoding, pool)
            advance(len(ids))
        asked = [(queries[owner], corpus[text]) for owner, text in zip(pairs.owners, pairs.texts, strict=True)]
        return Candidates(candidates.ids, scores, _predict(cross_encoder, asked, encoding, pool))


def choose(pairs: Pairs, candidates: Candidates, selection: Selection) -> Chosen:
    """The negatives of each query that ``selection`` takes."""
    scores = np.where(candidates.ids >= 0, candidates.scores, -np.inf)
    if not selection.include_positives:
        scores[_own_positives(pairs, candidates.ids)] = -np.inf
    first_pairs = np.flatnonzero(np.diff(pairs.owners, prepend=-1))
    lowest = np.minimum.reduceat(candidates.positive_scores, first_pairs)[:, None]
    skipped = {}
    for name, limit in selection.limits.items():
        beyond = _BEYOND[name](scores, float(limit), lowest) & (scores > -np.inf)
        skipped[name] = int(np.count_nonzero(beyond))
        scores[beyond] = -np.inf
    places = largest(scores, selection.last)[:, selection.range_min :]
    places = _sampled(places, scores, selection) if selection.sampling_strategy == "random" else places
    places = places[:, : selection.num_negatives]
    return Chosen(
        ids=np.take_along_axis(candidates.ids, places, axis=1),
        scores=np.take_along_axis(scores, places, axis=1),
        positive_scores=candidates.positive_scores,
        count=scores.size,
        skipped=skipped,
    )


#: whether a score is beyond a limit; "lowest" is that of each query's positives
_BEYOND: Mapping[str, Callable[[NDArray[Any], float, NDArray[Any]], NDArray[np.bool_]]] = {
    "absolute_margin": lambda scores, margin, lowest: scores + margin > lowest,
    "relative_margin": lambda scores, margin, lowest: scores > lowest - np.abs(lowest) * margin,
    "max_score": lambda scores, limit, _: scores > limit,
    "min_score": lambda scores, limit, _: scores < limit,
}


def _own_positives(pairs: Pairs, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where ``ids`` (queries, width) are positives of their own query."""
    count = len(pairs.corpus)
    found = np.arange(len(ids))[:, None] * count + ids
    return np.isin(found, pairs.owners * count + pairs.texts) & (ids >= 0)


def _sampled(places: NDArray[np.int64], scores: NDArray[Any], selection: Selection) -> NDArray[np.int64]:
    """Some of each row's ``places``, which are in falling order of ``scores``, in that order."""
    count = selection.num_negatives
    left = np.count_nonzero(np.take_along_axis(scores, places, axis=1) > -np.inf, axis=1)
    options = np.maximum(left, count).tolist()
    drawn = [sorted(random.sample(range(option), k=count)) for option in options]
    return np.take_along_axis(places, np.array(drawn, dtype=np.int64), axis=1)


def _by_faiss(embedded: Embedded, width: int, queries_at_once: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    index = faiss_index(embedded.corpus, None, "float32")
    starts = range(0, len(embedded.queries), queries_at_once)
    found = [index.search(embedded.queries[start : start + queries_at_once], width) for start in starts]
    scores, ids = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return scores, ids


def _predict(cross_encoder: Any, asked: list[tuple[str, str]], encoding: Encoding, pool: Any) -> NDArray[Any]:
    scores = np.asarray(cross_encoder.predict(asked, batch_size=encoding.batch_size, pool=pool))
    if not np.isfinite(scores).all():
        raise InputError(f"the cross-encoder scores {asked[int(np.argmin(np.isfinite(scores)))]!r:.80} not finitely")
    return scores
