"""Values of texts that came before."""

from collections import OrderedDict
from typing import Any

from edge_st_runtime.vectors.sparse import SparseVector

_OVERHEAD = 200  # bytes of a key, its entry and the value's object


class Cache:
    """The values that were asked for last, in at most ``size`` bytes. Not safe to call from several threads."""

    def __init__(self, size: int) -> None:
        self._most, self._size = size, 0
        self._values: OrderedDict[bytes, Any] = OrderedDict()

    def get(self, key: bytes) -> Any:
        """The value for ``key``; None where there is none."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: bytes, value: Any) -> None:
        """Keep a copy of ``value``, and forget what was not asked for the longest time."""
        if key in self._values or _size(value) > self._most:
            return
        self._values[key] = _copy(value)
        self._size += _size(value)
        while self._size > self._most:
            _, forgotten = self._values.popitem(last=False)
            self._size -= _size(forgotten)


def _copy(value: Any) -> Any:
    """``value`` in arrays of its own: those that came may be parts of a whole batch."""
    if isinstance(value, SparseVector):
        return SparseVector(value.indices.copy(), value.values.copy(), value.dim)
    return value.copy()


def _size(value: Any) -> int:
    arrays = (value.indices, value.values) if isinstance(value, SparseVector) else (value,)
    return _OVERHEAD + sum(array.nbytes for array in arrays)
