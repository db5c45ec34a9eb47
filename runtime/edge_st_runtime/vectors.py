"""Operations on finished embeddings: normalize, truncate, quantize.

Source: sentence-transformers' ``util.quantization`` and torch.nn.functional.normalize.
"""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats
from .errors import InputError, OptionError

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")
_FEW_ROWS = 100
logger = logging.getLogger(__name__)


def normalize(vectors: Floats) -> Floats:
    """Each vector of (…, dim) divided by its Euclidean length, which counts as at least 1e-12."""
    lengths = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return vectors / np.maximum(lengths, np.float32(1e-12))


def check_precision(precision: str | None) -> None:
    """Raise OptionError unless ``precision`` is None or one of `PRECISIONS`."""
    if precision is not None and precision not in PRECISIONS:
        raise OptionError(f"Precision {precision!r} is not supported, must be one of {list(PRECISIONS)}")


def quantize(
    vectors: NDArray[Any],
    precision: str,
    ranges: NDArray[Any] | None = None,
    calibration: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Quantize float vectors (n, dim), or (dim,) where ``precision`` is not a binary one.

    ``int8``/``uint8``: 256 steps between each dimension's minimum and maximum, taken from ``ranges`` (2, dim), else
    from ``calibration`` (m, dim), else from the vectors themselves. ``ubinary``: one bit a dimension, set where
    the value is positive, eight to a byte (n, ceil(dim / 8)) uint8; ``binary`` the same minus 128 as int8.

    Raises OptionError for an unknown precision, InputError for vectors that are quantized already or, with a binary
    precision, not two-dimensional.
    """
    check_precision(precision)
    if vectors.dtype in (np.uint8, np.int8):
        raise InputError(f"the embeddings are {vectors.dtype} already; pass the float embeddings to quantize them")
    if precision == "float32":
        return vectors.astype(np.float32)
    if precision in ("binary", "ubinary"):
        return _to_bits(vectors, precision)
    if len(vectors) == 0:
        return vectors.astype(precision)
    if ranges is None:
        ranges = _ranges(vectors, calibration)
    start, end = ranges[0], ranges[1]
    steps = (end - start) / 255
    steps = np.where(steps == 0, steps.dtype.type(1), steps)
    scaled = np.clip(np.floor((vectors - start) / steps), 0, 255)
    return scaled.astype(np.uint8) if precision == "uint8" else (scaled - 128).astype(np.int8)


def _to_bits(vectors: NDArray[Any], precision: str) -> NDArray[Any]:
    if vectors.ndim != 2:
        raise InputError(f"embeddings of shape {vectors.shape}; {precision} takes (n, dim): use embeddings[None]")
    packed = np.packbits(vectors > 0, axis=-1)
    return packed if precision == "ubinary" else (packed.astype(np.int16) - 128).astype(np.int8)


def _ranges(vectors: NDArray[Any], calibration: NDArray[Any] | None) -> NDArray[Any]:
    source = vectors if calibration is None else calibration
    if calibration is None and len(vectors) < _FEW_ROWS:
        logger.warning(
            "int8 ranges from %d embeddings alone; pass ranges or calibration_embeddings of at least %d for codes "
            "that other calls share",
            len(vectors),
            _FEW_ROWS,
        )
    return np.vstack((np.min(source, axis=0), np.max(source, axis=0)))
