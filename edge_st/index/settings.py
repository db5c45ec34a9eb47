"""The settings of an index, as its folder records them, and their checks."""

import os
from pathlib import Path
from typing import Any

from edge_st_runtime.checks import check_choice, described
from edge_st_runtime.errors import OptionError
from edge_st_runtime.search.codes import PRECISIONS
from edge_st_runtime.vectors.similarity import SimilarityFunction

_COARSE_TO_FINE = ("binary", "int8", "float16", "float32")
_RESCORE = _COARSE_TO_FINE[:0:-1]
#: the similarities that can be computed from int8 and binary codes
_OF_CODES = (SimilarityFunction.COSINE.value, SimilarityFunction.DOT_PRODUCT.value)


def folder_of(path: Any) -> Path:
    """``path`` as an absolute path; raises OptionError for a type that is no path."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise OptionError(f"path is {described(path)}; expected the folder of an index")
    return Path(path).absolute()


def check_precision(precision: str, rescore: str | None, similarity: str) -> None:
    """Raise OptionError for an unknown precision, a ``rescore`` no finer than it, or codes that cannot be compared."""
    check_choice("precision", precision, PRECISIONS)
    check_choice("rescore", rescore, (None, *_RESCORE))
    if rescore is not None and _COARSE_TO_FINE.index(rescore) <= _COARSE_TO_FINE.index(precision):
        raise OptionError(
            f"rescore is {rescore!r}, no finer than precision {precision!r}; expected a finer one, or None"
        )
    if similarity not in _OF_CODES and {precision, rescore} & {"int8", "binary"}:
        raise OptionError(
            f"the model compares by {similarity}, int8 and binary by cosine or dot product; expected an index of "
            "precision='float32' or 'float16'"
        )
