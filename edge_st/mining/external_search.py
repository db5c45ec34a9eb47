"""Search by faiss and usearch, where they are installed. Source: sentence-transformers' ``util.quantization``."""

import logging
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import InputError
from edge_st_runtime.vectors.dense import as_numbers, check_finite, dequantize, quantization_ranges, quantize

from .external_indexes import ExternalIndex, Found, checked_vectors, faiss_index, usearch_index

logger = logging.getLogger(__name__)
_INTEGERS = (np.int8, np.uint8)


@dataclass(frozen=True)
class _Options:
    """How many entries are found, how queries are quantized, and whether entries are scored again."""

    top_k: int
    ranges: ArrayLike | None
    calibration: ArrayLike | None
    rescore: bool
    multiplier: int

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k)
        check_count("rescore_multiplier", self.multiplier)


def semantic_search_faiss(
    query_embeddings: ArrayLike,
    corpus_embeddings: ArrayLike | None = None,
    corpus_index: Any = None,
    corpus_precision: str = "float32",
    top_k: int = 10,
    ranges: NDArray[Any] | None = None,
    calibration_embeddings: NDArray[Any] | None = None,
    rescore: bool = True,
    rescore_multiplier: int = 2,
    exact: bool = True,
    output_index: bool = False,
) -> tuple[Any, ...]:
    """Search with faiss: the ``top_k`` best corpus entries of each query, and the seconds the search took.

    Returns a list of ``{"corpus_id": int, "score": float}`` for each query, best first, then the seconds, and with
    ``output_index`` the ``faiss.Index``. ``query_embeddings`` is (n, dim) or (dim,). The corpus is either
    ``corpus_embeddings`` or ``corpus_index``. ``corpus_precision`` says how it is quantized: "float32", "uint8" or
    "ubinary", as by quantize_embeddings. Float queries are quantized in the same way, with ``ranges`` (2, dim) or those
    of ``calibration_embeddings``. A score is an inner product; with "ubinary" it is the number of bits that differ.
    With ``rescore``, float queries on a quantized corpus find ``top_k * rescore_multiplier`` entries, which are scored
    again by their inner product with the float query. Without ``exact`` a new index is an HNSW graph.

    Raises PackageMissingError without faiss, OptionError for arguments outside their values, InputError for vectors of
    another width or precision, and for NaN or infinity. Source: sentence-transformers' function of this name.
    """
    options = _Options(top_k, ranges, calibration_embeddings, rescore, rescore_multiplier)
    index = faiss_index(corpus_embeddings, corpus_index, corpus_precision, exact=exact)
    return (*_search(index, query_embeddings, options), *([index.index] if output_index else []))


def semantic_search_usearch(
    query_embeddings: ArrayLike,
    corpus_embeddings: ArrayLike | None = None,
    corpus_index: Any = None,
    corpus_precision: str = "float32",
    top_k: int = 10,
    ranges: NDArray[Any] | None = None,
    calibration_embeddings: NDArray[Any] | None = None,
    rescore: bool = True,
    rescore_multiplier: int = 2,
    exact: bool = True,
    output_index: bool = False,
) -> tuple[Any, ...]:
    """Search with usearch: the ``top_k`` best corpus entries of each query, and the seconds the search took.

    As `semantic_search_faiss`, with a ``usearch.index.Index`` and the precisions "float32", "int8", "ubinary" and
    "binary". Scores are distances: 1 minus the cosine, with "int8" 1 minus the inner product of the codes, with the
    binary precisions the number of bits that differ. Entries that are scored again have inner products. Without
    ``exact`` the search follows the index's graph.
    """
    options = _Options(top_k, ranges, calibration_embeddings, rescore, rescore_multiplier)
    index = usearch_index(corpus_embeddings, corpus_index, corpus_precision, exact=exact)
    return (*_search(index, query_embeddings, options), *([index.index] if output_index else []))


def _search(
    index: ExternalIndex, query_embeddings: ArrayLike, options: _Options
) -> tuple[list[list[dict[str, Any]]], float]:
    queries = np.atleast_2d(as_numbers(query_embeddings, "query_embeddings"))
    if not queries.size:
        return [], 0.0
    rescored = _rescores(queries, index.precision, options)
    ranges = _ranges(queries, index.precision, options)
    codes = _codes(queries, index, ranges)
    start = time.perf_counter()
    scores, keys = index.search(codes, int(options.top_k) * (options.multiplier if rescored else 1))
    if rescored:
        scores, keys = _rescored(queries, index, keys, ranges)
    seconds = time.perf_counter() - start
    return [_hits(*row) for row in zip(scores[:, : options.top_k], keys[:, : options.top_k], strict=True)], seconds


def _rescores(queries: NDArray[Any], precision: str, options: _Options) -> bool:
    """Whether entries are scored again; warns where the caller asked for it and it has no effect."""
    if options.rescore and queries.dtype in _INTEGERS:
        logger.warning("rescore=True, but the queries are quantized; pass float queries, or rescore=False")
        return False
    if options.rescore and precision == "float32":
        logger.warning("rescore=True, but the corpus is float32; pass a quantized corpus, or rescore=False")
        return False
    return options.rescore


def _ranges(queries: NDArray[Any], precision: str, options: _Options) -> NDArray[Any] | None:
    """The ranges to quantize float queries with; None where none are needed."""
    if precision not in ("int8", "uint8") or queries.dtype in _INTEGERS:
        return None
    if options.ranges is None and options.calibration is None and len(queries) == 1:
        raise InputError(
            f"one query alone has no ranges for {precision}; pass ranges or calibration_embeddings, the same that "
            "the corpus was quantized with"
        )
    return quantization_ranges(queries, precision, options.ranges, options.calibration)


def _codes(queries: NDArray[Any], index: ExternalIndex, ranges: NDArray[Any] | None) -> NDArray[Any]:
    """The queries, quantized as the index; raises InputError for another width or precision, NaN and infinity."""
    if queries.dtype in _INTEGERS:
        codes = checked_vectors(queries, "query_embeddings", index.precision)
    else:
        check_finite(queries, "query_embeddings")
        codes = quantize(queries, index.precision, ranges)
    if codes.shape[1] != index.width:
        what = "bytes" if index.precision in ("binary", "ubinary") else "dimensions"
        raise InputError(f"query_embeddings have {codes.shape[1]} {what}, the corpus {index.width}; expected the same")
    return codes


def _rescored(
    queries: NDArray[Any], index: ExternalIndex, keys: NDArray[np.int64], ranges: NDArray[Any] | None
) -> Found:
    """Inner products of float ``queries`` with the dequantized vectors under ``keys``, best first, and the keys."""
    found, places = np.unique(keys[keys >= 0], return_inverse=True)
    scores = np.full(keys.shape, -np.inf)
    if not len(found):
        return scores, keys
    codes = index.vectors(found)
    if index.precision in ("int8", "uint8"):
        vectors = dequantize(codes, index.precision, np.asarray(ranges, dtype=np.float32), place=0)
    else:
        bits = codes.view(np.uint8) ^ np.uint8(0x80 if index.precision == "binary" else 0)
        vectors = np.unpackbits(bits, axis=-1, count=queries.shape[1]).astype(np.float32)
    rows, _ = np.nonzero(keys >= 0)
    scores[keys >= 0] = np.einsum("nd,nd->n", queries[rows], vectors[places])
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(keys, order, axis=1)


def _hits(scores: NDArray[Any], keys: NDArray[np.int64]) -> list[dict[str, Any]]:
    pairs = zip(keys.tolist(), scores.tolist(), strict=True)
    return [{"corpus_id": key, "score": float(score)} for key, score in pairs if key >= 0]
