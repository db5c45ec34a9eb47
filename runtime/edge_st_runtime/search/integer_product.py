"""Exact matrix multiplication of small integers, by ONNX Runtime where it is installed, else by NumPy.

Both give the same numbers (float32: sums beyond 2**24 are rounded). ONNX Runtime is several times as fast.
"""

import sys
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats

#: The largest code of a query. With the offset added, codes are 0 to 127, and the sum of two products with an int8
#: does not overflow 16 bits, which is how AVX2 adds them.
LIMIT = 63
_OFFSET, _LARGEST = LIMIT + 1, 127
_WORTH_AN_ENGINE = 100_000  # rows; to scan fewer takes less time than importing the engine
_UINT8, _INT8, _INT32 = 2, 3, 6  # TensorProto.DataType


class IntegerProduct:
    """Multiplies ``codes`` (queries, dim) int8 from -63 to 63 with blocks of int8 columns from -127 to 127.

    ``rows`` is the number of columns in all blocks. For few columns no engine is imported.
    """

    def __init__(self, codes: NDArray[np.int8], rows: int) -> None:
        self._session = _session() if rows >= _WORTH_AN_ENGINE or "onnxruntime" in sys.modules else None
        exact = np.float32 if codes.shape[1] * LIMIT * _LARGEST < 2**24 else np.float64
        self._codes: NDArray[Any] = codes.astype(exact) if self._session is None else (codes + _OFFSET).astype(np.uint8)

    def __call__(self, block: NDArray[np.int8], sums: NDArray[np.int32]) -> Floats:
        """The products (queries, n) float32 with ``block`` (dim, n); ``sums`` (n,) are the sums of its columns."""
        if self._session is None:
            return (self._codes @ block.astype(self._codes.dtype)).astype(np.float32, copy=False)
        found = self._session.run(None, {"a": self._codes, "b": block})[0]
        found -= _OFFSET * sums
        return found.astype(np.float32)


@cache
def _session() -> Any:
    """A session that runs MatMulInteger on the calling thread; None where ONNX Runtime is not installed."""
    if find_spec("onnxruntime") is None:
        return None
    from ..engines.quiet_onnxruntime import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(_graph(), options, providers=["CPUExecutionProvider"])


def _graph() -> bytes:
    """An ONNX model of ``y = MatMulInteger(a, b)``: uint8 (m, k) times int8 (k, n) gives int32 (m, n)."""
    node = _message(1, b"a") + _message(1, b"b") + _message(2, b"y") + _message(4, b"MatMulInteger")
    inputs = _message(11, _matrix(b"a", _UINT8)) + _message(11, _matrix(b"b", _INT8))
    graph = _message(1, node) + _message(2, b"product") + inputs + _message(12, _matrix(b"y", _INT32))
    opset = _message(1, b"") + _number(2, 13)
    return _number(1, 7) + _message(7, graph) + _message(8, opset)


def _matrix(name: bytes, dtype: int) -> bytes:
    """A ValueInfoProto of two axes of any length."""
    shape = _message(1, b"") * 2
    return _message(1, name) + _message(2, _message(1, _number(1, dtype) + _message(2, shape)))


def _message(field: int, content: bytes) -> bytes:
    """A length-delimited field of the protocol buffer format, for contents shorter than 16,384 bytes."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([field << 3 | 2]) + length + content


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3, value])
