"""Embeddings that callers pass: checked, and scaled for the index's similarity."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import InputError, InputTypeError
from edge_st_runtime.vectors.dense import as_array, normalize
from edge_st_runtime.vectors.similarity import SimilarityFunction, parse_similarity


def check_embeddings(embeddings: ArrayLike, name: str = "embeddings") -> Floats:
    """``embeddings`` (n, dim) as float32.

    Raises InputTypeError for a dtype that is not numeric, InputError for another shape, NaN and infinity.
    """
    found = as_array(embeddings, name)
    if found.dtype.kind not in "fiu":
        raise InputTypeError(f"{name} has dtype {found.dtype}; expected numbers, such as float32")
    if found.ndim != 2 or not found.shape[1]:
        raise InputError(f"{name} has shape {found.shape}; expected (n, dim)")
    with np.errstate(over="ignore"):
        found = found.astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(bad):
        raise InputError(
            f"{name}[{bad[0]}] holds NaN or infinity ({len(bad)} of {len(found)} rows do); leave these rows out"
        )
    return found


def check_dim(vectors: Floats, dim: int) -> None:
    """Raise InputError unless vectors (n, width) have ``dim`` dimensions."""
    if vectors.shape[1] != dim:
        raise InputError(f"embeddings of {vectors.shape[1]} dimensions; expected {dim}, as the index has")


def scaled(vectors: Floats, settings: Mapping[str, Any]) -> Floats:
    """Vectors (n, dim) as an index with these settings stores and compares them: normalized for the cosine."""
    return normalize(vectors) if settings["similarity"] == SimilarityFunction.COSINE.value else vectors


def stored_similarity(settings: Mapping[str, Any]) -> SimilarityFunction:
    """The similarity of vectors that are `scaled`: the dot product for the cosine."""
    similarity = parse_similarity(settings["similarity"])
    return SimilarityFunction.DOT_PRODUCT if similarity == SimilarityFunction.COSINE else similarity
