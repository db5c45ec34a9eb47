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
    start, steps = ranges[0], _steps(ranges)
    scaled = np.clip(np.floor((vectors - start) / steps), 0, 255)
    return scaled.astype(np.uint8) if precision == "uint8" else (scaled - 128).astype(np.int8)


def value_ranges(vectors: NDArray[Any]) -> NDArray[Any]:
    """Each dimension's minimum and maximum over vectors (n, dim): (2, dim), as `quantize` takes them."""
    return np.vstack((np.min(vectors, axis=0), np.max(vectors, axis=0)))


def dequantize(codes: NDArray[Any], precision: str, ranges: NDArray[Any]) -> Floats:
    """What quantized vectors (n, dim), or (n, ceil(dim / 8)) of a binary precision, stand for: (n, dim) float32.

    A code stands for the middle of its step between the ``ranges`` (2, dim) it was made with, a bit for -1 or 1.
    """
    if precision in ("binary", "ubinary"):
        bits = codes if precision == "ubinary" else (codes.astype(np.int16) + 128).astype(np.uint8)
        return np.unpackbits(bits, axis=-1, count=ranges.shape[1]).astype(np.float32) * 2 - 1
    places = codes.astype(np.float32) + (128.5 if precision == "int8" else 0.5)
    return (ranges[0] + places * _steps(ranges)).astype(np.float32)


def _steps(ranges: NDArray[Any]) -> NDArray[Any]:
    """The width of each dimension's 256 steps (dim,); 1 where there is no range."""
    steps = (ranges[1] - ranges[0]) / 255
    return np.where(steps == 0, steps.dtype.type(1), steps)


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
    return value_ranges(source)
