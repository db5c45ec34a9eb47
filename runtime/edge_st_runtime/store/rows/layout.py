"""What an index has to know about its vectors: how segments store them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...arrays import Ids
from ...errors import DamagedFileError
from ..segment_file import REPAIR, Column, checked_column

#: the vectors of some rows as they are stored: those of a segment, or new ones in memory
V = TypeVar("V")
#: the arrays of a segment's file, by name
Columns: TypeAlias = Mapping[str, NDArray[Any]]


class Layout(Protocol[V]):
    """How all segments of an index store the vectors of their rows, and whether they store texts."""

    @property
    def texts(self) -> bool:
        """Whether texts are stored."""
        ...

    def opened(self, columns: Columns, rows: int) -> V:
        """The vectors of a segment with this number of rows; raises DamagedFileError for columns of another layout."""
        ...

    def written(self, parts: Sequence[tuple[V, Ids]]) -> dict[str, Column]:
        """The columns of a segment with the vectors of the given rows of each part, in order; read while written."""
        ...

    def joined(self, parts: Sequence[tuple[V, Ids]]) -> V:
        """The vectors of the given rows of each part, in order, in memory."""
        ...


def sized_column(columns: Columns, name: str, dtype: Any, count: int | None) -> NDArray[Any]:
    """The column ``name`` of a segment, flat; raises DamagedFileError unless it has this dtype and ``count``."""
    found = checked_column(columns, name, dtype, "the segment").reshape(-1)
    if count is not None and len(found) != count:
        raise DamagedFileError(f"the segment holds {len(found)} numbers for {name!r}, expected {count}; {REPAIR}")
    return found


def all_of(vectors: V, count: int) -> tuple[V, Ids]:
    """A part with all of the ``count`` rows of ``vectors``."""
    return vectors, np.arange(count)
