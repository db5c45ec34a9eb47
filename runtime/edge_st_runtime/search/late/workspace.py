"""Arrays that are kept from one use to the next."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Workspace:
    """Arrays by their names, for work that is done block by block.

    Memory that is given back after each block has to be cleared by the system for the next one, which takes as long as
    the work itself. A workspace belongs to one thread.
    """

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[Any]] = {}

    def empty(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array with any numbers in it; what was given for ``name`` before is overwritten with it."""
        size, kept = prod(shape), self._kept.get(name)
        if kept is None or len(kept) < size or kept.dtype != dtype:
            kept = self._kept[name] = np.empty(size, dtype)
        return kept[:size].reshape(shape)
