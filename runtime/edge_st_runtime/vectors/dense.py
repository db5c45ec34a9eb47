"""Dense embeddings: read them as arrays, normalize, quantize.

Source: sentence-transformers' ``util.quantization`` and torch.nn.functional.normalize.
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Floats
from ..checks import described
from ..errors import InputError, InputTypeError, OptionError

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")
_FEW_ROWS = 100
logger = logging.getLogger(__name__)


def as_numbers(values: ArrayLike, name: str = "embeddings") -> NDArray[Any]:
    """An array, a list or an object with ``__array__`` as an array of numbers; float16 and bfloat16 become float32.

    Raises InputError for rows of different lengths, InputTypeError for anything but numbers.
    """
    array = numbers_as_given(values, name)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def numbers_as_given(values: ArrayLike, name: str) -> NDArray[Any]:
    """As `as_numbers`, but without a copy of float16, which may be memory-mapped."""
    array = as_array(values, name)
    if array.dtype.kind not in "fiub":
        found = f"holds {array.dtype}" if array.ndim else f"is {described(values)}"
        raise InputTypeError(f"{name} {found}; expected numbers of shape (n, dim)")
    return array


def as_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """As `numbers_as_given`, but of anything; raises InputError for rows of different lengths."""
    try:
        return np.asarray(_widened(values))
    except (TypeError, ValueError, RuntimeError) as error:  # of torch: gradients, other devices
        reason = _unequal(values) if isinstance(values, list | tuple) else str(error)
        raise InputError(f"{name} cannot be read as an array ({reason}); expected numbers of shape (n, dim)") from error


def _unequal(rows: Sequence[Any]) -> str:
    """The first two of ``rows`` whose shapes differ."""
    shapes = [tuple(getattr(row, "shape", (len(row),) if isinstance(row, list | tuple) else ())) for row in rows]
    place = next((place for place, shape in enumerate(shapes) if shape != shapes[0]), None)
    if place is None:
        return "its rows have parts of different lengths"
    return f"row 0 has the shape {shapes[0]}, row {place} {shapes[place]}"


def _widened(values: Any) -> Any:
    """``values`` with tensors of bfloat16, which NumPy does not have, as float32."""
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, list | tuple):
        return [_widened(value) for value in values] if values and hasattr(values[0], "dtype") else values
    return values.float() if str(getattr(values, "dtype", "")) == "torch.bfloat16" else values


def as_matrix(values: ArrayLike, name: str = "embeddings") -> NDArray[Any]:
    """Embeddings (n, dim), or a single one (dim,), as float32 (n, dim); an array of float64 stays float64.

    Raises what `as_numbers` raises, and InputError for other shapes.
    """
    array = as_numbers(values, name)
    if array.dtype != np.float64 or _is_of_python(values):
        array = array.astype(np.float32, copy=False)
    if array.ndim == 1:
        return array[None]
    if array.ndim != 2:
        raise InputError(f"{name} of shape {array.shape}; expected (n, dim) or (dim,)")
    return array


def _is_of_python(values: Any) -> bool:
    """Whether these are lists of plain Python numbers, for which float64 was not chosen by the caller."""
    while isinstance(values, list | tuple) and values:
        values = values[0]
    return type(values) in (int, float, bool)


def check_finite(vectors: NDArray[Any], name: str = "embeddings") -> None:
    """Raise InputError where ``vectors`` (n, dim) hold NaN or an infinity; the message names the first such row."""
    fine = np.isfinite(vectors)
    if not fine.all():
        raise InputError(
            f"{name}[{int(np.argmin(fine.all(axis=1)))}] holds NaN or an infinity; expected finite numbers"
        )


def normalize(vectors: Floats) -> Floats:
    """Each vector (…, dim) divided by its Euclidean length, or by 1e-12 if that is greater."""
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
    """Quantize float vectors (n, dim), or a single one (dim,).

    ``int8`` and ``uint8`` have 256 steps between the minimum and maximum of each dimension. These are taken from
    ``ranges`` (2, dim), else from ``calibration`` (m, dim), else from the vectors themselves. ``ubinary`` has one bit
    for each dimension, set where the value is positive, with eight bits to a byte: (n, ceil(dim / 8)) uint8.
    ``binary`` is the same minus 128, as int8.

    Raises OptionError for an unknown precision. Raises InputError for vectors that are quantized already, and for NaN
    in any precision but float32; for int8 and uint8, for a single vector without ranges and calibration, and for ranges
    that are not finite, have another width or have a minimum above the maximum.
    """
    check_precision(precision)
    vectors = as_numbers(vectors)
    if vectors.dtype in (np.uint8, np.int8):
        raise InputError(f"the embeddings are already {vectors.dtype}; pass float embeddings to quantize them")
    if precision == "float32":
        return vectors.astype(np.float32)
    if np.isnan(vectors).any():
        raise InputError(f"the embeddings hold NaN, which {precision} cannot represent; expected numbers")
    if precision in ("binary", "ubinary"):
        return _to_bits(vectors, precision)
    if vectors.ndim not in (1, 2):
        raise InputError(f"embeddings of shape {vectors.shape}; {precision} takes (n, dim) or (dim,)")
    if len(vectors) == 0:
        return vectors.astype(precision)
    ranges = quantization_ranges(vectors, precision, ranges, calibration)
    scaled = np.clip(np.floor((vectors - ranges[0]) / _steps(ranges)), 0, 255)
    return scaled.astype(np.uint8) if precision == "uint8" else (scaled - 128).astype(np.int8)


def quantize_matrices(
    matrices: Sequence[ArrayLike],
    precision: str,
    ranges: NDArray[Any] | None = None,
    calibration: NDArray[Any] | None = None,
) -> list[NDArray[Any]]:
    """`quantize` each of several matrices (tokens, dim), all with the same ranges.

    Raises what `quantize` raises, and InputError for matrices of different widths.
    """
    arrays = [as_numbers(matrix, f"embeddings[{index}]") for index, matrix in enumerate(matrices)]
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1 or any(array.ndim != 2 for array in arrays):
        found = sorted({array.shape for array in arrays})
        raise InputError(f"embeddings of shapes {', '.join(map(str, found))}; expected (tokens, dim) of one width")
    rows = sum(map(len, arrays))
    if precision in ("int8", "uint8") and ranges is None and calibration is None and rows:
        ranges = quantization_ranges(np.concatenate(arrays), precision)
    return [quantize(array, precision, ranges, calibration) for array in arrays]


def quantization_ranges(
    vectors: NDArray[Any],
    precision: str,
    ranges: ArrayLike | None = None,
    calibration: ArrayLike | None = None,
) -> NDArray[Any]:
    """The ranges (2, dim) that `quantize` uses: ``ranges``, else those of ``calibration``, else those of the vectors.

    They are float32. Logs a warning where they come from fewer than a hundred vectors. Raises InputError as `quantize`
    does.
    """
    width = vectors.shape[-1]
    if ranges is not None:
        return _checked_ranges(as_numbers(ranges, "ranges"), width)
    if calibration is not None:
        rows = as_numbers(calibration, "calibration_embeddings")
        if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
            raise InputError(f"calibration_embeddings of shape {rows.shape}; expected (n, {width}), n at least 1")
        return _checked_ranges(value_ranges(rows), width)
    if vectors.ndim == 1 or len(vectors) == 1:
        raise InputError(
            f"Cannot compute {precision} quantization ranges from a single embedding; give quantize_embeddings the "
            "ranges, or the calibration_embeddings, of a representative set of embeddings"
        )
    if len(vectors) < _FEW_ROWS:
        logger.warning(
            "%s ranges are computed from %d embeddings only; pass ranges, or at least %d calibration_embeddings, so "
            "that codes of other calls are comparable",
            precision,
            len(vectors),
            _FEW_ROWS,
        )
    return _checked_ranges(value_ranges(vectors), width)


def value_ranges(vectors: NDArray[Any]) -> NDArray[Any]:
    """The minimum and maximum (2, dim) of each dimension over ``vectors`` (n, dim), as `quantize` takes them."""
    return np.vstack((np.min(vectors, axis=0), np.max(vectors, axis=0)))


def dequantize(codes: NDArray[Any], precision: str, ranges: NDArray[Any], place: float = 0.5) -> Floats:
    """The vectors (…, dim) float32 that quantized ones stand for.

    ``codes`` are (…, dim), or (…, ceil(dim / 8)) for a binary precision. ``ranges`` (2, dim) are those that they were
    quantized with. ``place`` says which value of its step an int8 or uint8 code stands for: 0 the lowest, 0.5 the
    middle. A bit stands for -1 or 1.
    """
    if precision in ("binary", "ubinary"):
        bits = codes if precision == "ubinary" else (codes.astype(np.int16) + 128).astype(np.uint8)
        return np.unpackbits(bits, axis=-1, count=ranges.shape[1]).astype(np.float32) * 2 - 1
    places = codes.astype(np.float32) + ((128 if precision == "int8" else 0) + place)
    return (ranges[0] + places * _steps(ranges)).astype(np.float32)


def _steps(ranges: NDArray[Any]) -> NDArray[Any]:
    """The width (dim,) of each dimension's steps; 1 where minimum and maximum are equal."""
    steps = (ranges[1] - ranges[0]) / 255
    return np.where(steps == 0, steps.dtype.type(1), steps)


def _to_bits(vectors: NDArray[Any], precision: str) -> NDArray[Any]:
    if vectors.ndim == 0:
        raise InputError(f"the embeddings are a number, {vectors}; {precision} takes (…, dim)")
    packed = np.packbits(vectors > 0, axis=-1)
    return packed if precision == "ubinary" else (packed.astype(np.int16) - 128).astype(np.int8)


def _checked_ranges(ranges: NDArray[Any], width: int) -> NDArray[Any]:
    if ranges.shape != (2, width):
        raise InputError(
            f"ranges of shape {ranges.shape} for embeddings of {width} dimensions; expected (2, {width}): the minimum "
            "and the maximum of each dimension"
        )
    check_finite(ranges, "ranges")
    if (ranges[0] > ranges[1]).any():
        place = int(np.argmax(ranges[0] > ranges[1]))
        raise InputError(f"ranges[0] is above ranges[1] in dimension {place}; expected the minimum first")
    return ranges.astype(np.float32, copy=False)
