"""From what a model gave to what the caller asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import EngineMissingError
from edge_st_runtime.vectors.dense import quantize


def shaped(found: Any, *, singular: bool, as_array: bool = True, as_tensor: bool = False) -> Any:
    """``found`` as one torch tensor, whole as it is, or as a list of its rows; for a single input its only row."""
    result = to_tensor(found) if as_tensor else found if as_array else list(found)
    return result[0] if singular else result


def stored(embeddings: NDArray[Any], precision: str | None) -> NDArray[Any]:
    """``embeddings`` as `quantize` stores them; float32, which they are, is not copied."""
    return embeddings if precision in (None, "float32") else quantize(embeddings, precision)


def to_tensor(vectors: NDArray[Any]) -> Any:
    """``vectors`` as a torch tensor; raises EngineMissingError where torch is not installed."""
    try:
        import torch
    except ImportError:
        raise EngineMissingError(
            "convert_to_tensor=True needs torch, which edge-st does not install; take the NumPy array "
            "(convert_to_tensor=False), or: pip install torch"
        ) from None
    return torch.from_numpy(np.ascontiguousarray(vectors))
