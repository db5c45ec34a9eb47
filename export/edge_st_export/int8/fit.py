"""Quantize matrix multiplications to int8, with the scales whose results are nearest to those in float32.

An input is quantized to unsigned bytes with one static scale and zero point, so that a text's vector does not depend on
the batch. A weight is quantized to signed bytes with a scale for every column.

A few channels may be far larger than the others, too large for one scale. There are two remedies:

- the channels are divided beforehand, and their weights multiplied (SmoothQuant, https://arxiv.org/abs/2211.10438);
- where K > N, the channels are computed in float32 beside the others (LLM.int8(), https://arxiv.org/abs/2208.07339).

Ranges are clipped where clipping loses less than a coarser scale would. Both are chosen by the larger of two errors: on
ordinary texts, and on odd ones that the ranges were not taken from. By the first alone, channels are divided so far
that any text unlike those of calibration is clipped. Weights are rounded for the inputs that ordinary texts gave. The
mean of the error that remains is subtracted by the bias.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats

from .calibrate import ActivationStats, joined_stats
from .matmuls import Group
from .rounding import MOST, error_factor, round_weight

_STRENGTHS = (0.5, 0.65, 0.75, 0.85, 0.95)
_CLIPS = (0.9, 0.8, 0.7, 0.55, 0.4)
_CHANNELS_PER_OUTLIER = 96
_WORTH = 0.7  # a remedy costs time, so it must lower the error to this share
_ROWS_TO_COMPARE = 512  # of each kind of texts


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """``values`` (K, N) int8 times ``scales`` (N,), and the corrected ``bias`` (N,)."""

    values: NDArray[np.int8]
    scales: Floats
    bias: Floats


_Weights: TypeAlias = tuple[QuantizedWeight, ...]


@dataclass(frozen=True, eq=False)
class Fit:
    """How to compute a group in int8.

    The input is multiplied by ``factors`` (K,) float32, if any, and quantized with ``scale`` and ``zero_point``. The
    channels ``outliers`` (n,) int64 stay in float32. There is one of ``weights`` for each matrix multiplication.
    ``error`` is the mean squared error of the results, divided by their variance.
    """

    group: Group
    factors: Floats | None
    outliers: NDArray[np.int64]
    scale: float
    zero_point: int
    weights: tuple[QuantizedWeight, ...]
    error: float


@dataclass(frozen=True, eq=False)
class _Remedy:
    """What is done about channels that are too large for one scale."""

    factors: Floats
    outliers: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Case:
    """A group, what ordinary texts and all texts were ``seen`` to give as its inputs, and its weights side by side.

    Errors are measured on the input ``rows``, whose float32 results are ``wanted``: ``kinds`` slices of them, of
    ordinary and of odd texts.
    """

    group: Group
    seen: ActivationStats
    seen_of_all: ActivationStats
    weight: Floats
    rows: Floats
    wanted: Floats
    kinds: tuple[slice, ...]


def fit_group(
    group: Group, seen: Mapping[str, ActivationStats], odd: Mapping[str, ActivationStats] = MappingProxyType({})
) -> Fit:
    """The best way to quantize ``group``, given the statistics ``seen`` of its inputs, and those of ``odd`` texts."""
    case = _case(group, seen, odd)
    plain = _Remedy(np.ones(group.width, dtype=np.float32), np.empty(0, dtype=np.int64))
    remedy, error = plain, _error(case, plain, *_range(case.seen, plain))
    for costly in _remedies(case):
        found = _error(case, costly, *_range(case.seen, costly))
        if found < error * (_WORTH if remedy is plain else 1):
            remedy, error = costly, found
    low, high = _range(case.seen, remedy)
    errors = {clip: _error(case, remedy, low * clip, high * clip) for clip in _CLIPS}
    clip = min(errors, key=errors.__getitem__)
    low, high = _range(case.seen_of_all, remedy)
    if errors[clip] < error:
        low, high, error = low * clip, high * clip, errors[clip]
    scale, zero_point = _scale(low, high)
    weights = _weights(group, remedy, scale, zero_point, seen)
    factors = None if (remedy.factors == 1).all() else remedy.factors
    return Fit(group, factors, remedy.outliers, scale, zero_point, weights, error)


def _case(group: Group, seen: Mapping[str, ActivationStats], odd: Mapping[str, ActivationStats]) -> _Case:
    distinct = {matmul.weight_name: matmul.weight for matmul in group.matmuls}
    weight = np.concatenate(list(distinct.values()), axis=1)
    parts = [joined_stats([stats[name] for name in group.inputs]) for stats in (seen, odd) if stats]
    samples = [_sample(part.rows) for part in parts]
    rows, (first, *_) = np.concatenate(samples), map(len, samples)
    kinds = tuple((slice(first), slice(first, None))[: len(parts)])
    return _Case(group, parts[0], joined_stats(parts), weight, rows, rows @ weight, kinds)


def _sample(rows: Floats) -> Floats:
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), _ROWS_TO_COMPARE)).astype(int)]


def _remedies(case: _Case) -> Iterator[_Remedy]:
    """Where K > N, outliers in float32, which is cheap then; else inputs divided, by several strengths."""
    none, ones = np.empty(0, dtype=np.int64), np.ones(case.group.width, dtype=np.float32)
    largest = np.maximum(np.maximum(-case.seen.low, case.seen.high), 1e-6)
    rows, columns = case.weight.shape
    if rows > columns:
        count = rows // _CHANNELS_PER_OUTLIER
        yield _Remedy(ones, np.sort(np.argsort(-largest, kind="stable")[:count]))
        return
    weights = np.maximum(np.abs(case.weight).max(axis=1), 1e-6)
    for strength in _STRENGTHS:
        yield _Remedy((weights ** (1 - strength) / largest**strength).astype(np.float32), none)


def _range(seen: ActivationStats, remedy: _Remedy) -> tuple[float, float]:
    inside = np.ones(len(seen.low), dtype=bool)
    inside[remedy.outliers] = False
    low, high = seen.low * remedy.factors, seen.high * remedy.factors
    return min(0.0, float(low[inside].min())), max(0.0, float(high[inside].max()))


def _scale(low: float, high: float) -> tuple[float, int]:
    scale = float(np.float32(max(high - low, 1e-6) / 255))
    return scale, int(np.clip(np.rint(-low / scale), 0, 255))


def _error(case: _Case, remedy: _Remedy, low: float, high: float) -> float:
    """The mean squared error divided by the variance of the results, for the kind of texts where that is larger."""
    missed = np.square(_approximate(case.rows, case.weight, remedy, *_scale(low, high)) - case.wanted)
    return max(float(missed[kind].mean()) / max(float(case.wanted[kind].var()), 1e-12) for kind in case.kinds)


def _approximate(rows: Floats, weight: Floats, remedy: _Remedy, scale: float, zero_point: int) -> Floats:
    """The results for ``rows`` where the weight is simply rounded."""
    scaled, scales = _scaled_weight(weight, remedy)
    values = np.rint(scaled / scales)
    codes = _codes(rows, remedy, scale, zero_point)
    found = _sums(codes, values, scales * np.float32(scale)) + rows[:, remedy.outliers] @ weight[remedy.outliers]
    return np.asarray(found, dtype=np.float32)


def _codes(rows: Floats, remedy: _Remedy, scale: float, zero_point: int) -> Floats:
    """The integers that ``rows`` become, less the zero point."""
    codes = np.clip(np.rint(rows * remedy.factors / np.float32(scale)) + zero_point, 0, 255) - zero_point
    return codes.astype(np.float32)


def _sums(codes: Floats, values: Floats | NDArray[np.int8], scales: Floats) -> Floats:
    found: Floats = (codes @ values.astype(np.float32)) * scales
    return found


def _scaled_weight(weight: Floats, remedy: _Remedy) -> tuple[Floats, Floats]:
    """``weight`` (K, N) for the inputs that ``remedy`` gives, with 0 for outliers, and a scale for every column.

    The scales are large enough that no sum of two neighbouring rows saturates on any CPU: see `rounding`.
    """
    scaled = weight / remedy.factors[:, None]
    scaled[remedy.outliers] = 0
    return scaled, (np.maximum(_pair_sums(scaled).max(axis=0), 1e-12) / MOST).astype(np.float32)


def _pair_sums(values: Floats) -> Floats:
    """For each two neighbouring rows, the sum of their positive or negative values, whichever is larger (pairs, N)."""
    padded = np.concatenate([values, np.zeros_like(values[: len(values) % 2])])
    first, second = padded[::2], padded[1::2]
    positive = np.maximum(first, 0) + np.maximum(second, 0)
    negative = np.maximum(-first, 0) + np.maximum(-second, 0)
    return np.maximum(positive, negative)


def _weights(
    group: Group, remedy: _Remedy, scale: float, zero_point: int, seen: Mapping[str, ActivationStats]
) -> _Weights:
    """The weight of every matrix multiplication, rounded for the inputs seen; the bias corrects the mean error."""
    rows = joined_stats([seen[name] for name in group.inputs]).rows
    codes = _codes(rows, remedy, scale, zero_point)
    codes[:, remedy.outliers] = 0
    factor, rounded, weights = error_factor(codes), dict[str, tuple[NDArray[np.int8], Floats]](), []
    for matmul in group.matmuls:
        if matmul.weight_name not in rounded:
            scaled, scales = _scaled_weight(matmul.weight, remedy)
            rounded[matmul.weight_name] = round_weight(scaled, scales, factor), scales
        values, scales = rounded[matmul.weight_name]
        own = seen[matmul.input].rows
        missed = own @ matmul.weight - own[:, remedy.outliers] @ matmul.weight[remedy.outliers]
        missed -= _sums(_codes(own, remedy, scale, zero_point), values, scales * np.float32(scale))
        bias = missed.mean(axis=0) + (0 if matmul.bias is None else matmul.bias)
        weights.append(QuantizedWeight(values, scales, bias.astype(np.float32)))
    return tuple(weights)
