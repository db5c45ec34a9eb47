"""Embeddings that callers pass, checked."""

import numpy as np
from numpy.typing import ArrayLike

from edge_st_runtime.arrays import Floats, Ids
from edge_st_runtime.errors import InputError, InputTypeError
from edge_st_runtime.vectors.dense import as_array


def check_embeddings(embeddings: ArrayLike, name: str = "embeddings") -> Floats:
    """``embeddings`` (n, dim) as float32.

    Raises InputTypeError for a dtype that is not numeric, InputError for another shape, NaN and infinity.
    """
    found, bad = float_rows(embeddings, name, "(n, dim)")
    if len(bad):
        raise InputError(
            f"{name}[{bad[0]}] holds NaN or infinity ({len(bad)} of {len(found)} rows do); leave these rows out"
        )
    return found


def float_rows(values: ArrayLike, name: str, expected: str) -> tuple[Floats, Ids]:
    """``values`` (n, dim) as float32, and the numbers of the rows that hold NaN or infinity.

    Raises InputTypeError for a dtype that is not numeric, InputError, which says ``expected``, for another shape.
    """
    found = as_array(values, name)
    if found.dtype.kind not in "fiu":
        raise InputTypeError(f"{name} has dtype {found.dtype}; expected numbers, such as float32")
    if found.ndim != 2 or not found.shape[1]:
        raise InputError(f"{name} has shape {found.shape}; expected {expected}")
    with np.errstate(over="ignore"):
        found = found.astype(np.float32, copy=False)
    return found, np.flatnonzero(~np.isfinite(found).all(axis=1))


def check_width(width: int, dim: int) -> None:
    """Raise InputError unless ``width``, the dimensions of embeddings that were given, is ``dim``."""
    if width != dim:
        raise InputError(f"embeddings of {width} dimensions; expected {dim}, as the index has")
