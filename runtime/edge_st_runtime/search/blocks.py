"""Vectors in blocks of rows, in memory or in a mapped file that may be larger than the memory."""

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Ids

ROWS = 16_384


class Blocks:
    """``rows`` vectors of ``width`` numbers in the flat array ``values``, in blocks of 16,384 rows.

    A block has shape (rows, width), or (width, rows) if ``transposed``. The last block may have fewer rows.
    """

    def __init__(self, values: NDArray[Any], rows: int, width: int, *, transposed: bool = False) -> None:
        self.rows, self.width, self.transposed = rows, width, transposed
        self._values = values
        self._map = _mapping(values)

    def __len__(self) -> int:
        return self.rows

    def block(self, start: int) -> NDArray[Any]:
        """The block whose first row is number ``start``, a multiple of 16,384."""
        rows = min(ROWS, self.rows - start)
        part = self._values[start * self.width : (start + rows) * self.width]
        return part.reshape((self.width, rows) if self.transposed else (rows, self.width))

    def release(self, start: int) -> None:
        """Release the memory pages of the block that begins at row ``start``, if it is in a mapped file."""
        if self._map is None:
            return
        mapping, first = self._map
        size = self._values.itemsize * self.width
        begin = first + start * size
        page = begin // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        mapping.madvise(mmap.MADV_DONTNEED, page, min(ROWS, self.rows - start) * size + begin - page)

    def take(self, rows: Ids) -> NDArray[Any]:
        """The vectors (n, width) of ``rows`` (n,)."""
        if not self.transposed:
            return self._values.reshape(self.rows, self.width)[rows]
        found = np.empty((len(rows), self.width), dtype=self._values.dtype)
        starts = rows // ROWS * ROWS
        for start in np.unique(starts).tolist():
            here = starts == start
            found[here] = self.block(start)[:, rows[here] - start].T
        return found


def _mapping(values: NDArray[Any]) -> tuple[mmap.mmap, int] | None:
    """The mapped file that ``values`` are in, and the offset where they begin; None where no pages can be released."""
    base: Any = values
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
            whole: Any = vars(base)["_mmap"]
            return whole, values.ctypes.data - np.frombuffer(whole, dtype=np.uint8).ctypes.data
        base = base.base
    return None
