"""The texts nearest to each query, and which of them become its negatives."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import InputError
from edge_st_runtime.search.exact import largest, top_k

from ...progress import progress_bar
from ..external_indexes import faiss_index, import_faiss
from .data import Pairs
from .embeddings import Embedded
from .encoding import Encoding, processes
from .selection import Selection

_RESCORED_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Candidates:
    """The nearest texts of each query, best first: ``ids`` int64 and ``scores`` float, both (queries, width).

    Where there are fewer texts a row ends in -1 and -inf. ``positive_scores`` (pairs,) are the scores of queries with
    their positives.
    """

    ids: NDArray[np.int64]
    scores: NDArray[Any]
    positive_scores: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Chosen(Candidates):
    """The negatives of each query, with width num_negatives. Of ``count`` candidates each limit ``skipped`` so many."""

    count: int
    skipped: Mapping[str, int]


@dataclass(frozen=True)
class Search:
    """How nearest texts are searched: ``queries_at_once``, by faiss or by NumPy.

    Raises OptionError for a number below 1, PackageMissingError for faiss where it is not installed.
    """

    queries_at_once: int
    use_faiss: bool

    def __post_init__(self) -> None:
        check_count("faiss_batch_size", self.queries_at_once)
        if self.use_faiss:
            import_faiss()


def find_candidates(model: Any, pairs: Pairs, embedded: Embedded, selection: Selection, search: Search) -> Candidates:
    """The texts nearest to each query: as many as ``selection`` looks at, and room for the query's positives."""
    width = selection.last + pairs.max_positives
    if search.use_faiss:
        scores, ids = _by_faiss(embedded, width, search.queries_at_once)
    else:
        scores, ids = top_k(embedded.queries, embedded.corpus, width, model.similarity, search.queries_at_once)
    room = ((0, 0), (0, width - scores.shape[1]))
    queries, positives = embedded.queries[pairs.owners], embedded.corpus[pairs.texts]
    return Candidates(
        ids=np.pad(ids, room, constant_values=-1),
        scores=np.pad(scores, room, constant_values=-np.inf),
        positive_scores=np.asarray(model.similarity_pairwise(queries, positives)),
    )


def rescore(cross_encoder: Any, pairs: Pairs, candidates: Candidates, encoding: Encoding) -> Candidates:
    """``candidates`` with scores by ``cross_encoder``; raises InputError for a score that is not finite."""
    scores = np.full(candidates.scores.shape, -np.inf, dtype=np.float32)
    queries, corpus = pairs.queries, pairs.corpus
    show = encoding.verbose
    with (
        processes(cross_encoder, encoding) as pool,
        progress_bar(len(scores), show, "query", "Rescoring with CrossEncoder") as advance,
    ):
        for start in range(0, len(scores), _RESCORED_AT_ONCE):
            ids = candidates.ids[start : start + _RESCORED_AT_ONCE]
            rows, columns = np.nonzero(ids >= 0)
            inputs = [
                (queries[start + row], corpus[ids[row, column]]) for row, column in zip(rows, columns, strict=True)
            ]
            scores[start + rows, columns] = _predict(cross_encoder, inputs, encoding, pool)
            advance(len(ids))
        inputs = [(queries[owner], corpus[text]) for owner, text in zip(pairs.owners, pairs.texts, strict=True)]
        return Candidates(candidates.ids, scores, _predict(cross_encoder, inputs, encoding, pool))


def choose(pairs: Pairs, candidates: Candidates, selection: Selection) -> Chosen:
    """The negatives of each query: candidates that are not its positives and within the limits of ``selection``."""
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


#: whether scores are beyond a limit; "lowest" (queries, 1) is the lowest score of each query's positives
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
    """A random sample of each row's ``places``, best score first as they are."""
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


def _predict(cross_encoder: Any, inputs: list[tuple[str, str]], encoding: Encoding, pool: Any) -> NDArray[Any]:
    scores = np.asarray(cross_encoder.predict(inputs, batch_size=encoding.batch_size, pool=pool))
    if not np.isfinite(scores).all():
        first = inputs[int(np.argmin(np.isfinite(scores)))]
        raise InputError(f"the cross-encoder's score of {first!r:.80} is not finite")
    return scores
