"""Round a weight so that the rounding errors of its rows cancel in the result (GPTQ, https://arxiv.org/abs/2210.17323).

Each row's error is compensated by the rows still to be rounded, as far as their inputs are correlated.
"""

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats

MOST = 127
#: x86 CPUs without VNNI sum two neighbouring products in 16 bits: 255 * 128 < 2**15
MOST_OF_A_PAIR = 128
_DAMPING = 0.02
_BLOCK = 64


def error_factor(inputs: Floats) -> NDArray[np.float64]:
    """The upper Cholesky factor (K, K) of the inverse second moment of ``inputs`` (n, K), slightly damped."""
    width = inputs.shape[1]
    moment = (inputs.T @ inputs).astype(np.float64)
    moment[np.diag_indices(width)] += _DAMPING * max(float(np.trace(moment)) / width, 1e-12)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(moment)).T, dtype=np.float64)


def round_weight(weight: Floats, scales: Floats, factor: NDArray[np.float64]) -> NDArray[np.int8]:
    """``weight`` (K, N) divided by ``scales`` (N,) as int8; two neighbouring rows of one sign sum up to 128 at most."""
    left = weight / scales
    codes = np.zeros(weight.shape, dtype=np.int8)
    upper = factor.astype(np.float32)
    for start in range(0, len(left), _BLOCK):
        end = min(start + _BLOCK, len(left))
        errors = np.zeros((end - start, left.shape[1]), dtype=np.float32)
        for row in range(start, end):
            codes[row] = _rounded(left[row], codes[row - 1] if row % 2 else None)
            errors[row - start] = (left[row] - codes[row]) / upper[row, row]
            left[row + 1 : end] -= np.outer(upper[row, row + 1 : end], errors[row - start])
        left[end:] -= upper[start:end, end:].T @ errors
    return codes


def _rounded(row: Floats, neighbour: NDArray[np.int8] | None) -> Floats:
    low, high = np.float32(-MOST), np.float32(MOST)
    if neighbour is None:
        return np.clip(np.rint(row), low, high)
    other = neighbour.astype(np.float32)
    least = np.maximum(low, -MOST_OF_A_PAIR - np.minimum(other, 0))
    most = np.minimum(high, MOST_OF_A_PAIR - np.maximum(other, 0))
    return np.clip(np.rint(row), least, most)
