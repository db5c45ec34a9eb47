"""The settings of an index, checked before any work."""

import os
from pathlib import Path
from typing import Any

from edge_st_runtime.arrays import Floats
from edge_st_runtime.checks import check_choice
from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.search.codes import PRECISIONS
from edge_st_runtime.vectors.similarity import SimilarityFunction

_FINENESS = ("binary", "int8", "float16", "float32")
_COPIES = _FINENESS[:0:-1]
_PRODUCTS = (SimilarityFunction.COSINE.value, SimilarityFunction.DOT_PRODUCT.value)


def folder_of(path: Any) -> Path:
    """``path`` as an absolute one; raises OptionError for what is none."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise OptionError(f"path is a {type(path).__name__} ({path!r:.40}); expected the folder of an index")
    return Path(path).absolute()


def check_precision(precision: str, rescore: str | None, similarity: str) -> None:
    """Raise OptionError for a precision there is not, or not for this similarity."""
    check_choice("precision", precision, PRECISIONS)
    check_choice("rescore", rescore, (None, *_COPIES))
    if rescore is not None and _FINENESS.index(rescore) <= _FINENESS.index(precision):
        raise OptionError(
            f"rescore is {rescore!r}, no finer than precision {precision!r}; expected a finer one, or None"
        )
    if similarity not in _PRODUCTS and {precision, rescore} & {"int8", "binary"}:
        raise OptionError(
            f"the model compares by {similarity}, int8 and binary by cosine or dot product; expected an index of "
            "precision='float32' or 'float16'"
        )


def check_width(vectors: Floats, dim: int) -> None:
    """Raise InputError unless vectors (n, width) have ``dim`` numbers."""
    if vectors.shape[1] != dim:
        raise InputError(f"embeddings of {vectors.shape[1]} dimensions; expected {dim}, as the index has")
