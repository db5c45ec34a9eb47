"""sentence-transformers' ``util`` over NumPy: similarity, search, quantization; and the fusion of rankings."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import OptionError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.search.exact import CORPUS_CHUNK, QUERY_CHUNK
from edge_st_runtime.search.exact import top_k as _top_k
from edge_st_runtime.search.fusion import reciprocal_rank_fusion, weighted_fusion
from edge_st_runtime.vectors.dense import (
    as_numbers,
    check_precision,
    normalize,
    numbers_as_given,
    quantize,
    quantize_matrices,
)
from edge_st_runtime.vectors.maxsim import maxsim, maxsim_pairwise, mean_maxsim, mean_maxsim_pairwise
from edge_st_runtime.vectors.similarity import (
    Similarity,
    SimilarityFunction,
    cos_sim,
    dot_score,
    euclidean_sim,
    manhattan_sim,
    pairwise_angle_sim,
    pairwise_cos_sim,
    pairwise_dot_score,
    pairwise_euclidean_sim,
    pairwise_manhattan_sim,
)
from edge_st_runtime.vectors.sparse import SparseMatrix, SparseVector
from edge_st_runtime.vectors.sparse import select_max_active_dims as _select_sparse

from .mining.communities import community_detection
from .mining.external_search import semantic_search_faiss, semantic_search_usearch
from .mining.hard_negatives.mining import mine_hard_negatives
from .mining.paraphrases import paraphrase_mining, paraphrase_mining_embeddings

__all__ = [
    "SimilarityFunction",
    "batch_to_device",
    "community_detection",
    "cos_sim",
    "dot_score",
    "euclidean_sim",
    "fullname",
    "http_get",
    "information_retrieval",
    "manhattan_sim",
    "maxsim",
    "maxsim_pairwise",
    "mean_maxsim",
    "mean_maxsim_pairwise",
    "mine_hard_negatives",
    "normalize_embeddings",
    "pairwise_angle_sim",
    "pairwise_cos_sim",
    "pairwise_dot_score",
    "pairwise_euclidean_sim",
    "pairwise_manhattan_sim",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "pytorch_cos_sim",
    "quantize_embeddings",
    "reciprocal_rank_fusion",
    "select_max_active_dims",
    "semantic_search",
    "semantic_search_faiss",
    "semantic_search_usearch",
    "truncate_embeddings",
    "weighted_fusion",
]

pytorch_cos_sim = cos_sim  # its older name


def fullname(obj: Any) -> str:
    """The name of a class, or of an object's class, with its module; without that where it is a built-in one.

    Source: sentence-transformers' function of this name.
    """
    kind = obj if isinstance(obj, type) else type(obj)
    return kind.__name__ if kind.__module__ in (None, "builtins") else f"{kind.__module__}.{kind.__name__}"


def http_get(url: str, path: str) -> None:
    """Download ``url`` to the file ``path``, whose folder is made if it is missing, with a progress bar.

    The file appears whole. Raises OptionError for an address that is not of HTTP, HubError where the download fails.
    Source: sentence-transformers' function of this name.
    """
    from .hub.download import download

    download(url, path)


def batch_to_device(batch: dict[str, Any], target_device: Any) -> dict[str, Any]:
    """``batch`` itself, with its torch tensors, if there are any, on ``target_device``; arrays stay as they are.

    Source: sentence-transformers' function of this name.
    """
    for name, value in batch.items():
        if type(value).__module__ == "torch":
            batch[name] = value.to(target_device)
    return batch


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

    ``query_embeddings`` is (queries, dim) or (dim,), ``corpus_embeddings`` is (n, dim) and may be memory-mapped and
    larger than the memory. Entries with equal scores are in the order of the corpus; entries that score NaN are left
    out. ``mask`` (n,) of bool restricts the search to entries that are True, ``score_threshold`` to entries with this
    score or more.

    Raises OptionError for ``top_k`` or a chunk size below 1, InputError for a mask of another length, embeddings of
    another width and rows of different lengths, InputTypeError for anything but numbers. Source: sentence-transformers'
    function of this name, which has neither ``mask`` nor ``score_threshold``.
    """
    queries = np.atleast_2d(numbers_as_given(query_embeddings, "query_embeddings"))
    corpus = numbers_as_given(corpus_embeddings, "corpus_embeddings")
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


information_retrieval = semantic_search  # its older name


def quantize_embeddings(
    embeddings: Any,
    precision: str,
    ranges: NDArray[Any] | None = None,
    calibration_embeddings: NDArray[Any] | None = None,
) -> Any:
    """Embeddings (n, dim) as "int8", "uint8", "binary" or "ubinary"; "float32" returns them as float32.

    A list of matrices (tokens, dim) becomes a list of quantized matrices that share their ranges. An empty list stays
    an empty list. Shapes, dtypes and errors are those of `edge_st_runtime.vectors.dense.quantize`. Source:
    sentence-transformers' function of this name.
    """
    check_precision(precision)
    if isinstance(embeddings, list | tuple):
        if not embeddings:
            return []
        if as_numbers(embeddings[0], "embeddings[0]").ndim == 2:
            return quantize_matrices(embeddings, precision, ranges, calibration_embeddings)
    return quantize(as_numbers(embeddings), precision, ranges, calibration_embeddings)


def normalize_embeddings(embeddings: ArrayLike) -> NDArray[Any]:
    """``embeddings`` (…, dim) at unit Euclidean length, as float64 where they are, else float32; zeros stay zeros."""
    vectors = as_numbers(embeddings)
    return normalize(vectors if vectors.dtype == np.float64 else vectors.astype(np.float32, copy=False))


def select_max_active_dims(embeddings: Any, max_active_dims: int | None) -> Any:
    """Keep the ``max_active_dims`` values of each embedding with the greatest magnitude; None keeps all.

    SparseVector and SparseMatrix give their own type. An array (…, dim) gives a copy in which the other values are 0.
    Of equal magnitudes the lower dimension is kept. Raises OptionError for a number below 1. Source:
    sentence-transformers' function of this name.
    """
    if max_active_dims is None:
        return embeddings
    check_count("max_active_dims", max_active_dims)
    if isinstance(embeddings, SparseVector):
        return _select_sparse(embeddings, max_active_dims)
    if isinstance(embeddings, SparseMatrix):
        return _select_sparse(embeddings, max_active_dims)
    dense = as_numbers(embeddings)
    places = np.argsort(-np.abs(dense.astype(np.float64)), axis=-1, kind="stable")[..., :max_active_dims]
    selected = np.zeros_like(dense)
    np.put_along_axis(selected, places, np.take_along_axis(dense, places, axis=-1), axis=-1)
    return selected


def truncate_embeddings(embeddings: Any, truncate_dim: int | None) -> Any:
    """The first ``truncate_dim`` dimensions of (…, dim); None keeps all, a negative number drops so many at the end.

    Raises OptionError for another type than an integer.
    """
    if isinstance(truncate_dim, bool) or not isinstance(truncate_dim, int | np.integer | None):
        raise OptionError(f"truncate_dim is {truncate_dim!r}; expected a whole number of dimensions, or None")
    array = as_numbers(embeddings) if not hasattr(embeddings, "shape") else embeddings
    return array[..., :truncate_dim]
