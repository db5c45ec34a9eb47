"""Search: the best rows of a corpus for each query, in memory that does not grow with the corpus."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ids
from ..checks import check_count, check_number
from ..errors import InputError
from ..machine.threads import thread_count
from ..vectors.dense import as_matrix, normalize
from ..vectors.similarity import Similarity, cos_sim, dot_score, pairwise_dot_score
from .best import NO_ROW, Best
from .blocks import ROWS
from .codes import Kept

QUERY_CHUNK, CORPUS_CHUNK = 100, 500_000
SCORES_AT_ONCE = 4_000_000
_FEW_BLOCKS = 4
_STAYS = 512 * 2**20
Allowed = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """Rows of a corpus from number ``start``; those that ``allowed`` (rows,) does not mark are not found."""

    kept: Kept
    start: int = 0
    allowed: Allowed | None = None


def top_k(
    queries: NDArray[Any],
    corpus: NDArray[Any],
    k: int,
    score: Similarity = cos_sim,
    query_chunk: int = QUERY_CHUNK,
    corpus_chunk: int = CORPUS_CHUNK,
    mask: Allowed | None = None,
    threshold: float | None = None,
) -> tuple[Floats, Ids]:
    """Scores (queries, min(k, corpus)) and corpus positions of each query's best rows, best first.

    Equal scores keep the corpus' order. ``corpus`` (n, dim) may be memory-mapped; at most ``query_chunk`` queries meet
    ``corpus_chunk`` rows at once. Only rows that ``mask`` (n,) marks are found, and scores of ``threshold`` or more;
    where these are fewer than k, and for scores that are NaN, minus infinity and -1 fill up the end. Raises OptionError
    for ``k`` or a chunk below 1 or a threshold that is no number, InputError for a mask of another length.
    Source: sentence-transformers' semantic_search.
    """
    for name, value in (("top_k", k), ("query_chunk_size", query_chunk), ("corpus_chunk_size", corpus_chunk)):
        check_count(name, value)
    if threshold is not None:
        check_number("score_threshold", threshold)
    if mask is not None and mask.shape != (len(corpus),):
        raise InputError(f"mask has shape {mask.shape}; expected ({len(corpus)},), a bool for each of the corpus' rows")
    k = min(k, len(corpus))
    rows = max(1, min(corpus_chunk, ROWS, SCORES_AT_ONCE // query_chunk))
    found = []
    for start in range(0, len(queries), query_chunk):
        part = queries[start : start + query_chunk]
        best, scored = Best(len(part), k, threshold, np.float32), _scorer(part, score)
        for at in range(0, len(corpus), rows):
            scores = np.asarray(scored(corpus[at : at + rows])).astype(np.float32, copy=False)
            best.offer(_shown(scores, mask, at), at)
        found.append(best.ranked())
    empty = (np.empty((0, k), dtype=np.float32), np.empty((0, k), dtype=np.int64))
    scores, ids = (np.concatenate(arrays) for arrays in zip(empty, *found, strict=True))
    return scores, ids


def _scorer(queries: NDArray[Any], score: Similarity) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """``score`` of all queries with a block of rows; for the cosine the block is not copied to normalize it."""
    if score is not cos_sim:
        return lambda block: score(queries, block)
    units = normalize(as_matrix(queries))

    def cosines(block: NDArray[Any]) -> NDArray[Any]:
        block = as_matrix(block)
        return dot_score(units, block) / np.maximum(np.sqrt(np.einsum("nd,nd->n", block, block)), np.float32(1e-12))

    return cosines


def scan(parts: Sequence[Part], queries: Floats, k: int, similarity: Similarity = dot_score) -> Ids:
    """Rows (queries, k) of the best by the parts' codes, best first, filled up with -1; blocks share the cores.

    Of mapped files the first 512 MB stay in the process' memory; pages beyond are given back once they were read.
    """
    chunks = (queries[start : start + QUERY_CHUNK] for start in range(0, len(queries), QUERY_CHUNK))
    found = [_scan(parts, chunk, k, similarity).ranked()[1] for chunk in chunks]
    return np.concatenate([np.empty((0, k), dtype=np.int64), *found])


def _scan(parts: Sequence[Part], queries: Floats, k: int, similarity: Similarity) -> Best:
    jobs = [(number, at) for number, part in enumerate(parts) for at in _starts(part)]
    mapped = np.cumsum([parts[number].kept.blocks.block(at).nbytes for number, at in jobs])
    threaded = len(jobs) >= _FEW_BLOCKS and all(part.kept.precision.threaded for part in parts)
    workers = min(thread_count(), len(jobs)) if threaded else 1

    def work(first: int) -> Best:
        best = Best(len(queries), k)
        scorers = [part.kept.precision.scorer(queries, part.kept, similarity) for part in parts]
        for job in range(first, len(jobs), workers):
            number, at = jobs[job]
            part = parts[number]
            best.offer(_shown(scorers[number](at), part.allowed, at), part.start + at)
            if mapped[job] > _STAYS:
                part.kept.blocks.release(at)
        return best

    if workers == 1:
        return work(0)
    with ThreadPoolExecutor(workers) as pool:
        first, *others = pool.map(work, range(workers))
    for other in others:
        first.join(other)
    return first


def _starts(part: Part) -> list[int]:
    """Where blocks begin of which any row is allowed."""
    starts = range(0, len(part.kept), ROWS)
    return [at for at in starts if part.allowed is None or part.allowed[at : at + ROWS].any()]


def _shown(scores: Floats, allowed: Allowed | None, start: int) -> Floats:
    """``scores`` (queries, rows), minus infinity for rows that are not allowed."""
    if allowed is not None:
        hidden = ~allowed[start : start + scores.shape[1]]
        if hidden.any():
            scores = np.where(hidden, np.float32(-np.inf), scores)
    return scores


def rescored(
    queries: Floats,
    candidates: Ids,
    vectors: Callable[[Ids], Floats],
    k: int,
    pairwise: Similarity = pairwise_dot_score,
    threshold: float | None = None,
) -> tuple[Floats, Ids]:
    """The ``k`` best of each query's ``candidates`` (queries, n) by the scores of their ``vectors``, best first.

    ``pairwise`` scores row by row: what a matrix product gives for a row depends, in the last digits, on the rows
    around it, so that equal vectors would not always have equal scores. Candidates and results are filled up with -1,
    scores with minus infinity; equal scores are in order of row.
    """
    scores, ids = np.full((len(queries), k), -np.inf, dtype=np.float32), np.full((len(queries), k), NO_ROW)
    for number, query in enumerate(queries):
        rows = np.sort(candidates[number][candidates[number] != NO_ROW])
        if len(rows):
            found, best = vectors(rows), Best(1, k, threshold)
            best.offer(pairwise(query[None], found)[None].astype(np.float32, copy=False), 0)
            (scores[number],), (places,) = best.ranked()
            ids[number] = np.where(places == NO_ROW, NO_ROW, rows[places])
    return scores, ids


def keep_best(k: int, *parts: tuple[Floats, Ids]) -> tuple[Floats, Ids]:
    """The ``k`` best of several scores and ids (queries, n) of the same queries, best first; equal scores in order."""
    scores, ids = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
    kept = largest(scores, k)
    return np.take_along_axis(scores, kept, axis=1), np.take_along_axis(ids, kept, axis=1)


def largest(scores: Floats, k: int) -> Ids:
    """Columns of each row's k largest scores, largest first, equal ones in column order."""
    columns = scores.shape[1]
    chosen = np.argpartition(-scores, k - 1, axis=1)[:, :k] if k < columns else np.arange(columns)[None]
    chosen = np.sort(np.broadcast_to(chosen, (len(scores), min(k, columns))), axis=1)
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)
