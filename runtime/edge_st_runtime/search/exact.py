"""Exact search: the best rows of a corpus for each query, in memory that does not grow with the corpus."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ids
from ..checks import check_count, check_number
from ..errors import InputError
from ..vectors.dense import as_matrix, normalize
from ..vectors.similarity import Similarity, cos_sim, dot_score
from .best import Allowed, Best, hide
from .blocks import ROWS

QUERY_CHUNK, CORPUS_CHUNK = 100, 500_000
SCORES_AT_ONCE = 4_000_000


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
    """Scores (queries, min(k, n)) float32 and corpus positions int64 of each query's best rows, best first.

    Rows with equal scores keep the corpus' order. ``corpus`` (n, dim) may be memory-mapped. At most ``query_chunk``
    queries are compared with ``corpus_chunk`` rows at once. Only rows where ``mask`` (n,) is true are found, and only
    with a score of ``threshold`` or more; a row with the score NaN is never found. Where fewer than k rows are found,
    the rest is filled with minus infinity and -1.

    Raises OptionError for ``k`` or a chunk below 1 or a threshold that is not a number, InputError for a mask of
    another length. Source: sentence-transformers' semantic_search.
    """
    for name, value in (("top_k", k), ("query_chunk_size", query_chunk), ("corpus_chunk_size", corpus_chunk)):
        check_count(name, value)
    if threshold is not None:
        check_number("score_threshold", threshold)
    if mask is not None and mask.shape != (len(corpus),):
        raise InputError(f"mask has shape {mask.shape}; expected ({len(corpus)},), one bool for each row of the corpus")
    k = min(k, len(corpus))
    rows = max(1, min(corpus_chunk, ROWS, SCORES_AT_ONCE // query_chunk))
    found = []
    for start in range(0, len(queries), query_chunk):
        part = queries[start : start + query_chunk]
        best, scored = Best(len(part), k, threshold, np.float32), _scorer(part, score)
        for at in range(0, len(corpus), rows):
            scores = np.asarray(scored(corpus[at : at + rows])).astype(np.float32, copy=False)
            best.offer(hide(scores, mask, at), at)
        found.append(best.ranked())
    empty = (np.empty((0, k), dtype=np.float32), np.empty((0, k), dtype=np.int64))
    scores, ids = (np.concatenate(arrays) for arrays in zip(empty, *found, strict=True))
    return scores, ids


def _scorer(queries: NDArray[Any], score: Similarity) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The function that scores all queries with a block of rows; for the cosine, without normalizing a copy of it."""
    if score is not cos_sim:
        return lambda block: score(queries, block)
    units = normalize(as_matrix(queries))

    def cosines(block: NDArray[Any]) -> NDArray[Any]:
        block = as_matrix(block)
        return dot_score(units, block) / np.maximum(np.sqrt(np.einsum("nd,nd->n", block, block)), np.float32(1e-12))

    return cosines


def keep_best(k: int, *parts: tuple[Floats, Ids]) -> tuple[Floats, Ids]:
    """The ``k`` best of several scores and ids (queries, n) for the same queries, best first; equal ones in order."""
    scores, ids = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
    kept = largest(scores, k)
    return np.take_along_axis(scores, kept, axis=1), np.take_along_axis(ids, kept, axis=1)


def largest(scores: Floats, k: int) -> Ids:
    """Columns (rows, min(k, columns)) of each row's ``k`` largest scores, largest first; equal ones in column order."""
    columns = scores.shape[1]
    chosen = np.argpartition(-scores, k - 1, axis=1)[:, :k] if k < columns else np.arange(columns)[None]
    chosen = np.sort(np.broadcast_to(chosen, (len(scores), min(k, columns))), axis=1)
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)
