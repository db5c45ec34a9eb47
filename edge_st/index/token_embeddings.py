"""Token vectors that callers pass, checked."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.checks import described
from edge_st_runtime.errors import InputError, InputTypeError

from .embeddings import float_rows

_EXPECTED = "expected a list of arrays (tokens, dim), as MultiVectorEncoder.encode gives"


def check_token_embeddings(embeddings: Any, name: str) -> list[Floats]:
    """``embeddings``, a list of (tokens, dim) or an array (n, tokens, dim), as a list of float32 arrays.

    Raises InputTypeError for another type or dtype, InputError for another shape, NaN and infinity. The message says
    ``name``.
    """
    if isinstance(embeddings, np.ndarray) and embeddings.ndim != 3 and embeddings.dtype.kind != "O":
        raise InputError(f"{name} has shape {embeddings.shape}; {_EXPECTED}")
    if isinstance(embeddings, str | bytes) or not isinstance(embeddings, Sequence | np.ndarray):
        raise InputTypeError(f"{name} is {described(embeddings)}; {_EXPECTED}")
    return [_checked(each, f"{name}[{place}]") for place, each in enumerate(embeddings)]


def width_of(vectors: Sequence[Floats]) -> int | None:
    """The number of dimensions of token vectors (tokens, dim) of several rows; None where there are no rows.

    Raises InputError where rows differ in it.
    """
    widths = [found.shape[1] for found in vectors]
    for place, width in enumerate(widths):
        if width != widths[0]:
            raise InputError(
                f"embeddings[{place}] has {width} dimensions, embeddings[0] has {widths[0]}; expected the same for all"
            )
    return widths[0] if widths else None


def _checked(embedding: Any, name: str) -> Floats:
    found, bad = float_rows(embedding, name, "(tokens, dim)")
    if len(bad):
        raise InputError(f"{name} holds NaN or infinity at token {bad[0]} ({len(bad)} of {len(found)} tokens do)")
    return found
