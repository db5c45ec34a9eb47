"""sentence-transformers' ``util`` over NumPy: similarity, search, quantization; and the fusion of rankings."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.best import NO_ROW
from edge_st_runtime.fusion import reciprocal_rank_fusion, weighted_fusion
from edge_st_runtime.search import CORPUS_CHUNK, QUERY_CHUNK
from edge_st_runtime.search import top_k as _top_k
from edge_st_runtime.similarity import (
    Similarity,
    SimilarityFunction,
    cos_sim,
    dot_score,
    euclidean_sim,
    manhattan_sim,
    pairwise_cos_sim,
    pairwise_dot_score,
    pairwise_euclidean_sim,
    pairwise_manhattan_sim,
)
from edge_st_runtime.sparse import select_max_active_dims
from edge_st_runtime.vectors import normalize, quantize

from .paraphrases import paraphrase_mining, paraphrase_mining_embeddings

__all__ = [
    "SimilarityFunction",
    "cos_sim",
    "dot_score",
    "euclidean_sim",
    "manhattan_sim",
    "normalize_embeddings",
    "pairwise_cos_sim",
    "pairwise_dot_score",
    "pairwise_euclidean_sim",
    "pairwise_manhattan_sim",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "quantize_embeddings",
    "reciprocal_rank_fusion",
    "select_max_active_dims",
    "semantic_search",
    "truncate_embeddings",
    "weighted_fusion",
]


def semantic_search(
    query_embeddings: ArrayLike,
    corpus_embeddings: ArrayLike,
    query_chunk_size: int = QUERY_CHUNK,
    corpus_chunk_size: int = CORPUS_CHUNK,
    top_k: int = 10,
    score_function: Similarity = cos_sim,
    *,
    mask: ArrayLike | None = None,
    score_threshold: float | None = None,
) -> list[list[dict[str, int | float]]]:
    """The ``top_k`` best corpus entries of each query: ``{"corpus_id": int, "score": float}``, best first.

    ``query_embeddings`` is (queries, dim) or (dim,), ``corpus_embeddings`` (n, dim), which may be memory-mapped and
    larger than the memory. Equal scores are in the corpus' order; a score that is NaN is never found. Only entries
    that ``mask`` (n,) of bool marks are found, and scores of ``score_threshold`` or more. Raises OptionError for
    ``top_k`` or a chunk size below 1, InputError for a mask of another length or vectors of another width. Source:
    sentence-transformers' function of this name, which has neither ``mask`` nor ``score_threshold``.
    """
    queries, corpus = np.atleast_2d(np.asarray(query_embeddings)), np.asarray(corpus_embeddings)
    if corpus.size == 0:
        return [[] for _ in queries]
    marked = None if mask is None else np.asarray(mask, dtype=bool)
    scores, ids = _top_k(
        queries, corpus, top_k, score_function, query_chunk_size, corpus_chunk_size, marked, score_threshold
    )
    return [
        [{"corpus_id": found, "score": score} for found, score in zip(row, row_scores, strict=True) if found != NO_ROW]
        for row, row_scores in zip(ids.tolist(), scores.tolist(), strict=True)
    ]


def quantize_embeddings(
    embeddings: ArrayLike,
    precision: str,
    ranges: NDArray[Any] | None = None,
    calibration_embeddings: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Embeddings (n, dim) as "int8", "uint8", "binary" or "ubinary"; "float32" returns them as they are.

    See `edge_st_runtime.vectors.quantize` for shapes, dtypes and errors. Source: sentence-transformers' function of
    this name.
    """
    return quantize(np.asarray(embeddings), precision, ranges, calibration_embeddings)


def normalize_embeddings(embeddings: ArrayLike) -> NDArray[Any]:
    """Each vector of (n, dim) or (dim,) at unit Euclidean length; zero vectors stay zero."""
    return normalize(np.asarray(embeddings))


def truncate_embeddings(embeddings: NDArray[Any], truncate_dim: int | None) -> NDArray[Any]:
    """The first ``truncate_dim`` dimensions of (…, dim); None keeps all."""
    return embeddings[..., :truncate_dim]
