"""Paraphrase mining: the pairs of texts that are nearest to each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.arrays import Floats, Ids
from edge_st_runtime.checks import check_count
from edge_st_runtime.search.exact import SCORES_AT_ONCE, keep_best, largest
from edge_st_runtime.vectors.dense import as_matrix, check_finite
from edge_st_runtime.vectors.similarity import Similarity, cos_sim
from edge_st_runtime.vectors.sparse import SparseMatrix

_PAIRS = np.dtype([("score", np.float64), ("first", np.int64), ("second", np.int64)])


def paraphrase_mining(
    model: Any,
    sentences: Sequence[str],
    show_progress_bar: bool = False,
    batch_size: int = 32,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100000,
    max_pairs: int = 500000,
    top_k: int = 100,
    score_function: Similarity = cos_sim,
    truncate_dim: int | None = None,
    prompt_name: str | None = None,
    prompt: str | None = None,
) -> list[list[float | int]]:
    """The pairs of ``sentences`` with the most similar embeddings: ``[score, i, j]`` with i < j, best first.

    Arguments and errors are those of ``model.encode`` and of `paraphrase_mining_embeddings`. Source:
    sentence-transformers' function of this name.
    """
    _check_counts(query_chunk_size, corpus_chunk_size, max_pairs, top_k)
    embeddings = model.encode(
        sentences,
        show_progress_bar=show_progress_bar,
        batch_size=batch_size,
        convert_to_numpy=True,
        truncate_dim=truncate_dim,
        prompt_name=prompt_name,
        prompt=prompt,
    )
    return paraphrase_mining_embeddings(
        embeddings, query_chunk_size, corpus_chunk_size, max_pairs, top_k, score_function
    )


def paraphrase_mining_embeddings(
    embeddings: ArrayLike | SparseMatrix,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100000,
    max_pairs: int = 500000,
    top_k: int = 100,
    score_function: Similarity = cos_sim,
) -> list[list[float | int]]:
    """The most similar pairs of rows of ``embeddings`` (n, dim): ``[score, i, j]`` with i < j, best first.

    Each row is paired with the ``top_k`` rows nearest to it; of these pairs the best ``max_pairs`` are returned, each
    once; none for 0. Pairs with equal scores are in the order of the rows. ``query_chunk_size`` rows, or fewer to save
    memory, are compared with ``corpus_chunk_size`` others at once; neither changes what is found. Raises OptionError
    for another number below 1, InputError for embeddings with NaN or infinity. Source: sentence-transformers' function
    of this name.
    """
    _check_counts(query_chunk_size, corpus_chunk_size, max_pairs, top_k)
    vectors = embeddings if isinstance(embeddings, SparseMatrix) else _finite(embeddings)
    rows = max(1, min(query_chunk_size, SCORES_AT_ONCE // max(1, min(corpus_chunk_size, len(vectors)))))
    found = [np.empty(0, dtype=_PAIRS)]
    for row in range(0, len(vectors), rows):
        part = vectors[row : row + rows]
        nearest: list[tuple[Floats, Ids]] = []
        for column in range(0, len(vectors), corpus_chunk_size):
            scores = np.asarray(score_function(part, vectors[column : column + corpus_chunk_size]))
            places = largest(scores, top_k + 1)
            here = np.take_along_axis(scores, places, axis=1), places + column
            nearest = [keep_best(top_k + 1, *nearest, here)] if nearest else [here]
        found.append(_pairs(*nearest[0], row, top_k))
        if sum(map(len, found)) > 2 * max_pairs:
            found = [_best(found, max_pairs)]
    return [list(pair) for pair in _best(found, max_pairs).tolist()]


def _check_counts(query_chunk_size: int, corpus_chunk_size: int, max_pairs: int, top_k: int) -> None:
    check_count("query_chunk_size", query_chunk_size)
    check_count("corpus_chunk_size", corpus_chunk_size)
    if max_pairs != 0 or isinstance(max_pairs, bool):  # none, as in sentence-transformers
        check_count("max_pairs", max_pairs)
    check_count("top_k", top_k)


def _finite(embeddings: ArrayLike) -> NDArray[Any]:
    vectors = as_matrix(embeddings)
    check_finite(vectors)
    return vectors


def _pairs(scores: Floats, others: Ids, start: int, k: int) -> NDArray[Any]:
    """The pairs of each row, the first of which is row ``start``, with the ``k`` best of ``others`` but itself."""
    rows = np.broadcast_to(np.arange(start, start + len(scores))[:, None], others.shape)
    other = others != rows
    kept = other & (np.cumsum(other, axis=1) <= k) & (scores > -np.inf)
    pairs = np.empty(np.count_nonzero(kept), dtype=_PAIRS)
    pairs["score"] = scores[kept]
    pairs["first"], pairs["second"] = np.minimum(rows, others)[kept], np.maximum(rows, others)[kept]
    return pairs


def _best(parts: list[NDArray[Any]], most: int) -> NDArray[Any]:
    """The ``most`` best pairs, each once with the score that came first, best first; equal ones by their rows."""
    pairs = np.concatenate(parts)
    width = pairs["second"].max(initial=0) + 1
    distinct = pairs[np.unique(pairs["first"] * width + pairs["second"], return_index=True)[1]]
    return distinct[np.argsort(-distinct["score"], kind="stable")[:most]]
