"""Exact search: the best rows of a corpus for each query, in memory that does not grow with the corpus."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats
from .errors import OptionError
from .similarity import Similarity, cos_sim

QUERY_CHUNK, CORPUS_CHUNK = 100, 500_000
SCORES_AT_ONCE = 4_000_000


def top_k(
    queries: NDArray[Any],
    corpus: NDArray[Any],
    k: int,
    score: Similarity = cos_sim,
    query_chunk: int = QUERY_CHUNK,
    corpus_chunk: int = CORPUS_CHUNK,
) -> tuple[Floats, NDArray[np.int64]]:
    """Scores (queries, min(k, corpus)) and corpus positions of each query's best rows, best first.

    Equal scores keep the corpus' order, except among those that compete for the last place. ``corpus`` (n, dim) may be
    memory-mapped; at most ``query_chunk`` queries meet ``corpus_chunk`` rows at once. Raises OptionError for ``k`` or
    a chunk below 1. Source: sentence-transformers' semantic_search.
    """
    for name, value in (("k", k), ("query_chunk", query_chunk), ("corpus_chunk", corpus_chunk)):
        if value < 1:
            raise OptionError(f"{name} is {value}; expected at least 1")
    k = min(k, len(corpus))
    scores, ids = np.empty((len(queries), k), dtype=np.float32), np.empty((len(queries), k), dtype=np.int64)
    rows = max(1, min(corpus_chunk, SCORES_AT_ONCE // query_chunk))
    for start in range(0, len(queries), query_chunk):
        part = slice(start, start + query_chunk)
        scores[part], ids[part] = _search(queries[part], corpus, k, score, rows)
    return scores, ids


def _search(
    queries: NDArray[Any], corpus: NDArray[Any], k: int, score: Similarity, rows: int
) -> tuple[Floats, NDArray[np.int64]]:
    best = np.empty((len(queries), 0), dtype=np.float32)
    ids = np.empty((len(queries), 0), dtype=np.int64)
    for start in range(0, len(corpus), rows):
        found = np.asarray(score(queries, corpus[start : start + rows])).astype(np.float32, copy=False)
        positions = largest(found, k)
        found = np.take_along_axis(found, positions, axis=1)
        best, ids = keep_best(k, (best, ids), (found, positions + start))
    return best, ids


def keep_best(k: int, *parts: tuple[Floats, NDArray[np.int64]]) -> tuple[Floats, NDArray[np.int64]]:
    """The ``k`` best of several scores and ids (queries, n) of the same queries, best first; equal scores in order."""
    scores, ids = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
    kept = largest(scores, k)
    return np.take_along_axis(scores, kept, axis=1), np.take_along_axis(ids, kept, axis=1)


def largest(scores: Floats, k: int) -> NDArray[np.int64]:
    """Columns of each row's k largest scores, largest first, equal ones in column order."""
    columns = scores.shape[1]
    chosen = np.argpartition(-scores, k - 1, axis=1)[:, :k] if k < columns else np.arange(columns)[None]
    chosen = np.sort(np.broadcast_to(chosen, (len(scores), min(k, columns))), axis=1)
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)
