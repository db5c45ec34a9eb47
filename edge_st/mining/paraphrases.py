"""Paraphrase mining: the pairs of texts that are nearest to each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.checks import check_count
from edge_st_runtime.search.exact import SCORES_AT_ONCE, largest
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

    Each row is paired with its ``top_k`` nearest rows in every chunk of ``corpus_chunk_size`` rows. Of these pairs,
    (i, j) and (j, i) counted apart, the best ``max_pairs - 1`` are kept; then each pair is returned once. Pairs that
    score -1 or less are left out. ``query_chunk_size`` rows are scored at once, or fewer to save memory. Raises
    OptionError for a number below 1, InputError for embeddings with NaN or infinity. Source: sentence-transformers'
    function of this name.
    """
    _check_counts(query_chunk_size, corpus_chunk_size, max_pairs, top_k)
    vectors = embeddings if isinstance(embeddings, SparseMatrix) else _finite(embeddings)
    found = [np.empty(0, dtype=_PAIRS)]
    for column in range(0, len(vectors), corpus_chunk_size):
        others = vectors[column : column + corpus_chunk_size]
        rows = max(1, min(query_chunk_size, SCORES_AT_ONCE // len(others)))
        for row in range(0, len(vectors), rows):
            scores = np.asarray(score_function(vectors[row : row + rows], others))
            found.append(_pairs(scores, row, column, top_k + 1))
            if sum(map(len, found)) > 2 * max_pairs:
                found = [_best(found, max_pairs)]
    return _distinct(_best(found, max_pairs), len(vectors))


def _check_counts(query_chunk_size: int, corpus_chunk_size: int, max_pairs: int, top_k: int) -> None:
    check_count("query_chunk_size", query_chunk_size)
    check_count("corpus_chunk_size", corpus_chunk_size)
    check_count("max_pairs", max_pairs)
    check_count("top_k", top_k)


def _finite(embeddings: ArrayLike) -> NDArray[Any]:
    vectors = as_matrix(embeddings)
    check_finite(vectors)
    return vectors


def _pairs(scores: NDArray[Any], row: int, column: int, k: int) -> NDArray[Any]:
    """The ``k`` best pairs of each row that score above -1, without those of a row with itself."""
    places = largest(scores, k)
    kept = np.empty(places.shape, dtype=_PAIRS)
    kept["score"] = np.take_along_axis(scores, places, axis=1)
    kept["first"], kept["second"] = np.arange(len(scores))[:, None] + row, places + column
    return kept[(kept["first"] != kept["second"]) & (kept["score"] > -1)]


def _best(parts: list[NDArray[Any]], most: int) -> NDArray[Any]:
    """The pairs by rising score; of ``most`` or more pairs only the best ``most - 1``."""
    pairs = np.concatenate(parts)
    ordered = pairs[np.lexsort((pairs["second"], pairs["first"], pairs["score"]))]
    return ordered[len(ordered) - most + 1 :] if len(ordered) >= most else ordered


def _distinct(pairs: NDArray[Any], count: int) -> list[list[float | int]]:
    """Each pair once, best first, with the lower of its two scores; equal scores in the order of ``pairs``."""
    first, second = np.minimum(pairs["first"], pairs["second"]), np.maximum(pairs["first"], pairs["second"])
    _, once = np.unique(first * count + second, return_index=True)
    once.sort()
    once = once[np.argsort(-pairs["score"][once], kind="stable")]
    columns = (pairs["score"][once].tolist(), first[once].tolist(), second[once].tolist())
    return [list(pair) for pair in zip(*columns, strict=True)]
