"""Scales for products in int8, chosen so that their results come nearest to those in float32.

An input is quantized to unsigned bytes with one scale and zero point for all of its values, so that a text's vector
does not depend on its neighbours; a weight to signed bytes with a scale for every column. What a plain scale cannot
hold is a few channels far larger than the others. They are divided down beforehand and their weights multiplied up
(SmoothQuant, https://arxiv.org/abs/2211.10438), or, where a product narrows, computed in float32 beside the others
(LLM.int8(), https://arxiv.org/abs/2208.07339); ranges are cut where that loses less than coarser steps would; weights
are rounded for the inputs seen; the mean error that remains is taken out with the bias.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats

from .calibrate import Seen, joined
from .matmuls import Group
from .rounding import MOST, error_factor, round_weight

_STRENGTHS = (0.5, 0.65, 0.75, 0.85, 0.95)
_CUTS = (0.9, 0.8, 0.7, 0.55, 0.4)
_CHANNELS_PER_OUTLIER = 96
_WORTH = 0.7  # what a scheme that costs time must leave of the error
_ROWS_TO_COMPARE = 768


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

    The input times ``factors`` (K,) float32, if any, is quantized with ``scale`` and ``zero_point``; the channels
    ``outliers`` (n,) int64 stay float32. ``error`` is the mean squared error of the results over their variance.
    """

    group: Group
    factors: Floats | None
    outliers: NDArray[np.int64]
    scale: float
    zero_point: int
    weights: tuple[QuantizedWeight, ...]
    error: float


@dataclass(frozen=True, eq=False)
class _Scheme:
    """What is done to channels that are too large for one scale."""

    factors: Floats
    outliers: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Case:
    """A group, what was seen of its inputs, and the results (n, N of all products) in float32 to come near to."""

    group: Group
    seen: Seen
    weight: Floats
    rows: Floats
    wanted: Floats


def fit_group(group: Group, seen: Mapping[str, Seen]) -> Fit:
    """The best scales for ``group``, given what was ``seen`` of its inputs."""
    case = _case(group, joined([seen[name] for name in group.inputs]))
    plain = _Scheme(np.ones(group.width, dtype=np.float32), np.empty(0, dtype=np.int64))
    scheme, error = plain, _error(case, plain, *_range(case, plain))
    for costly in _schemes(case):
        found = _error(case, costly, *_range(case, costly))
        if found < error * (_WORTH if scheme is plain else 1):
            scheme, error = costly, found
    low, high = _range(case, scheme)
    cuts = {cut: _error(case, scheme, low * cut, high * cut) for cut in _CUTS}
    cut = min(cuts, key=cuts.__getitem__)
    if cuts[cut] < error:
        low, high, error = low * cut, high * cut, cuts[cut]
    scale, zero_point = _scale(low, high)
    weights = _weights(group, scheme, scale, zero_point, seen)
    factors = None if (scheme.factors == 1).all() else scheme.factors
    return Fit(group, factors, scheme.outliers, scale, zero_point, weights, error)


def _case(group: Group, seen: Seen) -> _Case:
    distinct = {product.weight_name: product.weight for product in group.products}
    weight = np.concatenate(list(distinct.values()), axis=1)
    rows = seen.rows[np.linspace(0, len(seen.rows) - 1, min(len(seen.rows), _ROWS_TO_COMPARE)).astype(int)]
    return _Case(group, seen, weight, rows, rows @ weight)


def _schemes(case: _Case) -> Iterator[_Scheme]:
    """Outliers in float32 where that is cheap, for their product is small; else inputs divided down."""
    none, ones = np.empty(0, dtype=np.int64), np.ones(case.group.width, dtype=np.float32)
    largest = np.maximum(np.maximum(-case.seen.low, case.seen.high), 1e-6)
    rows, columns = case.weight.shape
    if rows > columns:
        count = rows // _CHANNELS_PER_OUTLIER
        yield _Scheme(ones, np.sort(np.argsort(-largest, kind="stable")[:count]))
        return
    weights = np.maximum(np.abs(case.weight).max(axis=1), 1e-6)
    for strength in _STRENGTHS:
        yield _Scheme((weights ** (1 - strength) / largest**strength).astype(np.float32), none)


def _range(case: _Case, scheme: _Scheme) -> tuple[float, float]:
    inside = np.ones(case.group.width, dtype=bool)
    inside[scheme.outliers] = False
    low, high = case.seen.low * scheme.factors, case.seen.high * scheme.factors
    return min(0.0, float(low[inside].min())), max(0.0, float(high[inside].max()))


def _scale(low: float, high: float) -> tuple[float, int]:
    scale = float(np.float32(max(high - low, 1e-6) / 255))
    return scale, int(np.clip(np.rint(-low / scale), 0, 255))


def _error(case: _Case, scheme: _Scheme, low: float, high: float) -> float:
    found = _product(case.rows, case.weight, scheme, *_scale(low, high))
    return float(np.square(found - case.wanted).mean() / max(float(case.wanted.var()), 1e-12))


def _product(rows: Floats, weight: Floats, scheme: _Scheme, scale: float, zero_point: int) -> Floats:
    """What the integer product of a weight that is simply rounded gives for ``rows``."""
    spread, scales = _spread(weight, scheme)
    values = np.rint(spread / scales)
    codes = _codes(rows, scheme, scale, zero_point)
    found = _sums(codes, values, scales * np.float32(scale)) + rows[:, scheme.outliers] @ weight[scheme.outliers]
    return np.asarray(found, dtype=np.float32)


def _codes(rows: Floats, scheme: _Scheme, scale: float, zero_point: int) -> Floats:
    """``rows`` as the integers that they become, less the zero point."""
    codes = np.clip(np.rint(rows * scheme.factors / np.float32(scale)) + zero_point, 0, 255) - zero_point
    return codes.astype(np.float32)


def _sums(codes: Floats, values: Floats | NDArray[np.int8], scales: Floats) -> Floats:
    found: Floats = (codes @ values.astype(np.float32)) * scales
    return found


def _spread(weight: Floats, scheme: _Scheme) -> tuple[Floats, Floats]:
    """``weight`` (K, N) for inputs of ``scheme``, outliers' rows 0, and a scale for every column.

    The scales leave room for pairs of neighbours of one sign, so that no sum saturates on any CPU: see `rounding`.
    """
    spread = weight / scheme.factors[:, None]
    spread[scheme.outliers] = 0
    return spread, (np.maximum(_pair_sums(spread).max(axis=0), 1e-12) / MOST).astype(np.float32)


def _pair_sums(values: Floats) -> Floats:
    """The larger absolute sum (pairs, N) of the positive or the negative ones of two neighbouring rows."""
    padded = np.concatenate([values, np.zeros_like(values[: len(values) % 2])])
    first, second = padded[::2], padded[1::2]
    positive = np.maximum(first, 0) + np.maximum(second, 0)
    negative = np.maximum(-first, 0) + np.maximum(-second, 0)
    return np.maximum(positive, negative)


def _weights(group: Group, scheme: _Scheme, scale: float, zero_point: int, seen: Mapping[str, Seen]) -> _Weights:
    """The weight of every product, rounded for the inputs seen, with what it misses on average in the bias."""
    rows = joined([seen[name] for name in group.inputs]).rows
    codes = _codes(rows, scheme, scale, zero_point)
    codes[:, scheme.outliers] = 0
    factor, rounded, weights = error_factor(codes), dict[str, tuple[NDArray[np.int8], Floats]](), []
    for product in group.products:
        if product.weight_name not in rounded:
            spread, scales = _spread(product.weight, scheme)
            rounded[product.weight_name] = round_weight(spread, scales, factor), scales
        values, scales = rounded[product.weight_name]
        own = seen[product.input].rows
        missed = own @ product.weight - own[:, scheme.outliers] @ product.weight[scheme.outliers]
        missed -= _sums(_codes(own, scheme, scale, zero_point), values, scales * np.float32(scale))
        bias = missed.mean(axis=0) + (0 if product.bias is None else product.bias)
        weights.append(QuantizedWeight(values, scales, bias.astype(np.float32)))
    return tuple(weights)
