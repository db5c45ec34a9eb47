"""A segment of an index: for each row its vectors, as the index's layout stores them, its id, text and metadata."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arrays import Ids
from ...errors import DamagedFileError
from ..segment_file import REPAIR, Column
from .layout import Columns, Layout, V, sized_column
from .strings import Hashes, Keys, Strings


@dataclass(frozen=True, eq=False, slots=True)
class Rows(Generic[V]):
    """New rows in memory: their vectors, ids, texts and metadata as JSON."""

    vectors: V
    ids: Strings
    id_hashes: Hashes
    metadata: Strings
    texts: Strings | None
    text_hashes: Hashes | None

    def __len__(self) -> int:
        return len(self.ids)

    def metadata_of(self, rows: Ids) -> Iterator[bytes]:
        """The metadata of ``rows`` (n,)."""
        return (self.metadata[row] for row in rows.tolist())


class Segment(Generic[V]):
    """The rows of a memory-mapped file. ``allowed`` (n,) is False for deleted rows; None: no row is deleted."""

    def __init__(self, layout: Layout[V], columns: Columns, rows: int, allowed: NDArray[np.bool_] | None) -> None:
        """Raises DamagedFileError where ``columns`` are not those of a segment with this ``layout`` and ``rows``."""
        self._columns, self._rows = columns, rows
        self.vectors = layout.opened(columns, rows)
        self.allowed = allowed
        self.ids, self.id_keys = self._strings("id", rows), self._keys("id")
        self.metadata = self._strings("metadata", None)
        self.metadata_rows = sized_column(columns, "metadata_rows", np.int32, rows)
        self.texts = self._strings("text", rows) if layout.texts else None
        self.text_keys = self._keys("text") if layout.texts else None

    def __len__(self) -> int:
        return self._rows

    @property
    def count(self) -> int:
        """How many rows are not deleted."""
        return self._rows if self.allowed is None else int(np.count_nonzero(self.allowed))

    @property
    def live(self) -> Ids:
        """The rows that are not deleted."""
        return np.arange(self._rows) if self.allowed is None else np.flatnonzero(self.allowed)

    def metadata_of(self, rows: Ids) -> Iterator[bytes]:
        """The metadata of ``rows`` (n,)."""
        return (self.metadata[row] for row in self.metadata_rows[rows].tolist())

    @property
    def id_hashes(self) -> Hashes:
        """The hash of each row's id."""
        return self.id_keys.by_row()

    @property
    def text_hashes(self) -> Hashes | None:
        """The hash of each row's text."""
        return None if self.text_keys is None else self.text_keys.by_row()

    def _strings(self, name: str, count: int | None) -> Strings:
        content = sized_column(self._columns, f"{name}_content", np.uint8, None)
        ends = sized_column(self._columns, f"{name}_ends", np.int64, count)
        if (ends[-1] if len(ends) else 0) != len(content):
            raise DamagedFileError(f"the ends of the {name} strings do not fit their content; {REPAIR}")
        return Strings(content, ends)

    def _keys(self, name: str) -> Keys:
        hashes = sized_column(self._columns, f"{name}_hashes", np.uint64, self._rows)
        return Keys(hashes, sized_column(self._columns, f"{name}_rows", np.int32, self._rows))


#: new rows or a segment, and the numbers of the rows to take of them
Part: TypeAlias = tuple[Rows[V] | Segment[V], Ids]


def columns_of(layout: Layout[V], parts: Sequence[Part[V]]) -> dict[str, Column]:
    """The columns of a segment with the given rows of each source, in order; read while they are written."""
    columns = layout.written([(source.vectors, rows) for source, rows in parts])
    id_hashes = np.concatenate([source.id_hashes[rows] for source, rows in parts])
    columns |= _strings("id", [(source.ids, rows) for source, rows in parts]) | _keys("id", id_hashes)
    columns |= _metadata(parts)
    if layout.texts:
        texts = [(source.texts, rows) for source, rows in parts if source.texts is not None]
        hashes = [source.text_hashes[rows] for source, rows in parts if source.text_hashes is not None]
        columns |= _strings("text", texts) | _keys("text", np.concatenate(hashes))
    return columns


def _strings(name: str, parts: Sequence[tuple[Strings, Ids]]) -> dict[str, Column]:
    ends = np.cumsum(np.concatenate([strings.lengths(rows) for strings, rows in parts]))
    size = int(ends[-1]) if len(ends) else 0
    content = (piece for strings, rows in parts for piece in strings.parts(rows))
    return {f"{name}_content": Column(np.uint8, (size,), content), f"{name}_ends": Column.of(ends)}


def _keys(name: str, hashes: Hashes) -> dict[str, Column]:
    keys = Keys.of(hashes)
    return {f"{name}_hashes": Column.of(keys.hashes), f"{name}_rows": Column.of(keys.rows)}


def _metadata(parts: Sequence[Part[V]]) -> dict[str, Column]:
    """The distinct metadata, each stored once, and for every row the number of its metadata."""
    places: dict[bytes, int] = {}
    rows = [places.setdefault(found, len(places)) for source, rows in parts for found in source.metadata_of(rows)]
    distinct = Strings.of(list(places))
    columns = _strings("metadata", [(distinct, np.arange(len(distinct)))])
    return {**columns, "metadata_rows": Column.of(np.array(rows, dtype=np.int32))}
