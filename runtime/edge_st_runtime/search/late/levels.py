"""Numbers as one of a few levels, in two, four or eight bits each.

The levels of two and four bits are those that are nearest, in the mean, to numbers of a normal distribution (Max,
Quantizing for minimum distortion, 1960); those of eight bits are evenly spaced.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...errors import InputError
from .workspace import Workspace

_HALF_OF_4 = (0.4528, 1.510)
_HALF_OF_16 = (0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733)
_EVEN = 8
_CELLS = 4096


@dataclass(frozen=True)
class Levels:
    """The positive ``half`` of the levels, in ascending order, and the ``bits`` that one of all levels takes."""

    bits: int
    half: tuple[float, ...]

    def width(self, dim: int) -> int:
        """The bytes of ``dim`` numbers, an even number of them."""
        return -(-dim * self.bits // 16) * 2

    @cached_property
    def values(self) -> Floats:
        """All levels, in ascending order."""
        return np.array([*(-level for level in reversed(self.half)), *self.half], dtype=np.float32)

    @cached_property
    def _table(self) -> Floats:
        """The levels that each byte stands for (256, levels)."""
        codes, shifts = np.arange(2**8), np.arange(0, 8, self.bits)
        return self.values[(codes[:, None] >> shifts) & (2**self.bits - 1)]

    def encode(self, vectors: Floats) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
        """The codes (n, width) and the scales (n,) of ``vectors`` (n, dim): level times scale is the number.

        Raises InputError for numbers that are too large.
        """
        spread = self._spread(vectors)
        codes = self._nearest(vectors / np.where(spread > 0, spread, np.float32(1))[:, None])
        levels = self.values[codes]
        scales = np.einsum("nd,nd->n", levels, vectors) / np.einsum("nd,nd->n", levels, levels)
        with np.errstate(over="ignore"):
            scales = np.where(spread > 0, scales, 0).astype(np.float16)
        if not np.isfinite(scales).all():
            raise InputError("the token vectors are too large to be stored; expected numbers below 65,504")
        return self._packed(codes), scales

    def _spread(self, vectors: Floats) -> Floats:
        """What the numbers of each vector are divided by before they are compared with the levels."""
        if self.bits == _EVEN:
            return np.abs(vectors).max(axis=1) / np.float32(self.half[-1])
        with np.errstate(over="ignore"):  # it is refused above
            return np.sqrt(np.mean(vectors * vectors, axis=1))

    def _nearest(self, numbers: NDArray[np.floating]) -> NDArray[np.uint8]:
        """The number of the level that is nearest to each of ``numbers``; found in a table of small cells."""
        least, step = self.values[0], (self.values[-1] - self.values[0]) / (len(self._cells) - 1)
        cells = np.rint((np.clip(numbers, least, self.values[-1]) - least) / step)
        return np.take(self._cells, cells.astype(np.intp))

    @cached_property
    def _cells(self) -> NDArray[np.uint8]:
        centres = np.linspace(self.values[0], self.values[-1], _CELLS, dtype=np.float32)
        return np.searchsorted((self.values[1:] + self.values[:-1]) / 2, centres).astype(np.uint8)

    def _packed(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Codes (n, dim), as many as fit into a byte at a time; the last ones are followed by zeros."""
        count, dim = codes.shape
        each, width = 8 // self.bits, self.width(dim)
        padded = np.pad(codes, ((0, 0), (0, width * each - dim))).reshape(count, width, each)
        return np.bitwise_or.reduce(padded << np.arange(0, 8, self.bits, dtype=np.uint8), axis=2)

    def decode(self, codes: NDArray[np.uint8], dim: int, space: Workspace) -> Floats:
        """The levels (n, dim) of ``codes`` (n, width), in ``space``, where the next call overwrites them."""
        count, width = codes.shape
        each = 8 // self.bits
        places = space.empty("places", codes.shape, np.intp)
        places[...] = codes
        levels = space.empty("levels", (count, width, each), np.float32)
        np.take(self._table, places, axis=0, out=levels, mode="clip")
        return levels.reshape(count, width * each)[:, :dim]


LEVELS: Mapping[int, Levels] = {
    2: Levels(2, _HALF_OF_4),
    4: Levels(4, _HALF_OF_16),
    8: Levels(8, tuple(level + 0.5 for level in range(128))),
}
