"""A segment of a vector index: for each row its vector, encoded once or twice, its id, text and metadata."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ids
from ...errors import DamagedFileError
from ...search.blocks import ROWS, Blocks
from ...search.codes import PRECISIONS, EncodedVectors, Precision
from ..segment_file import REPAIR, Column, checked_column
from .strings import Hashes, Keys, Strings

Source: TypeAlias = "Rows | Segment"
Part: TypeAlias = "tuple[Source, Ids]"
_COPY = "rescore_"


@dataclass(frozen=True)
class Layout:
    """The layout that all segments of an index have.

    Vectors have ``dim`` numbers and are stored in ``precision`` for the scan. ``rescore`` is the precision of a second,
    finer copy, by which the best rows of a scan are ordered; None: there is no copy. ``texts`` says whether texts are
    stored.
    """

    dim: int
    precision: str
    rescore: str | None
    texts: bool

    @property
    def copies(self) -> dict[str, Precision]:
        """The precision of each stored copy of the vectors, by the prefix of its columns' names."""
        rescore = {} if self.rescore is None else {_COPY: PRECISIONS[self.rescore]}
        return {"": PRECISIONS[self.precision], **rescore}

    def encode(self, vectors: Floats) -> dict[str, NDArray[Any]]:
        """The columns of vectors (n, dim)."""
        return {
            prefix + name: column
            for prefix, precision in self.copies.items()
            for name, column in precision.encode(vectors).items()
        }

    @property
    def bytes_per_vector(self) -> int:
        """The bytes that one vector takes on disk, in all its columns."""
        return sum(column[0].nbytes for column in self.encode(np.zeros((1, self.dim), dtype=np.float32)).values())


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """New rows in memory: the ``columns`` of their vectors, ids, texts and metadata as JSON."""

    columns: Mapping[str, NDArray[Any]]
    ids: Strings
    id_hashes: Hashes
    metadata: Strings
    texts: Strings | None
    text_hashes: Hashes | None

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str, rows: Ids) -> NDArray[Any]:
        """The numbers of ``rows`` (n,)."""
        return self.columns[name][rows]

    def metadata_of(self, rows: Ids) -> Iterator[bytes]:
        """The metadata of ``rows`` (n,)."""
        return (self.metadata[row] for row in rows.tolist())


class Segment:
    """The rows of a memory-mapped file. ``allowed`` (n,) is False for deleted rows; None: no row is deleted."""

    def __init__(
        self, layout: Layout, columns: Mapping[str, NDArray[Any]], rows: int, allowed: NDArray[np.bool_] | None
    ) -> None:
        """Raises DamagedFileError where ``columns`` are not those of a segment with this ``layout`` and ``rows``."""
        self._columns, self._rows = columns, rows
        copies = {prefix: self._encoded(layout.dim, prefix, precision) for prefix, precision in layout.copies.items()}
        self.codes, self.copy = copies[""], copies.get(_COPY)
        self.allowed = allowed
        self.ids, self.id_keys = self._strings("id", rows), self._keys("id")
        self.metadata = self._strings("metadata", None)
        self.metadata_rows = self._column("metadata_rows", np.int32, rows)
        self.texts = self._strings("text", rows) if layout.texts else None
        self.text_keys = self._keys("text") if layout.texts else None

    def __len__(self) -> int:
        return self._rows

    @property
    def count(self) -> int:
        """How many rows are not deleted."""
        return self._rows if self.allowed is None else int(np.count_nonzero(self.allowed))

    @property
    def finest(self) -> EncodedVectors:
        """The finest stored vectors: the copy for rescoring, where there is one."""
        return self.copy or self.codes

    @property
    def live(self) -> Ids:
        """The rows that are not deleted."""
        return np.arange(self._rows) if self.allowed is None else np.flatnonzero(self.allowed)

    def column(self, name: str, rows: Ids) -> NDArray[Any]:
        """The numbers of ``rows`` (n,)."""
        prefix = _COPY if name.startswith(_COPY) else ""
        encoded = self.copy if prefix else self.codes
        assert encoded is not None
        name = name.removeprefix(prefix)
        return encoded.blocks.take(rows) if name == "vectors" else encoded.extra[name][rows]

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

    def _encoded(self, dim: int, prefix: str, precision: Precision) -> EncodedVectors:
        width = precision.width(dim)
        values = self._column(f"{prefix}vectors", precision.dtype, self._rows * width)
        extra = {name: self._column(prefix + name, dtype, self._rows) for name, dtype in precision.extra}
        return EncodedVectors(
            precision, dim, Blocks(values, self._rows, width, transposed=_transposed(prefix, precision)), extra
        )

    def _strings(self, name: str, count: int | None) -> Strings:
        content = self._column(f"{name}_content", np.uint8, None)
        ends = self._column(f"{name}_ends", np.int64, count)
        if (ends[-1] if len(ends) else 0) != len(content):
            raise DamagedFileError(f"the ends of the {name} strings do not fit their content; {REPAIR}")
        return Strings(content, ends)

    def _keys(self, name: str) -> Keys:
        hashes = self._column(f"{name}_hashes", np.uint64, self._rows)
        return Keys(hashes, self._column(f"{name}_rows", np.int32, self._rows))

    def _column(self, name: str, dtype: Any, count: int | None) -> NDArray[Any]:
        found = checked_column(self._columns, name, dtype, "the segment").reshape(-1)
        if count is not None and len(found) != count:
            raise DamagedFileError(f"the segment holds {len(found)} numbers for {name!r}, expected {count}; {REPAIR}")
        return found


def columns_of(layout: Layout, parts: Sequence[Part]) -> dict[str, Column]:
    """The columns of a segment with the given rows of each source, in order; read while they are written."""
    count = sum(len(rows) for _, rows in parts)
    columns = {}
    for prefix, precision in layout.copies.items():
        for name, dtype in precision.extra:
            columns[prefix + name] = Column(dtype, (count,), _numbers(parts, prefix + name))
        chunks = _numbers(parts, f"{prefix}vectors")
        if _transposed(prefix, precision):
            chunks = (block.T for block in _blocks(chunks))
        columns[f"{prefix}vectors"] = Column(precision.dtype, (count * precision.width(layout.dim),), chunks)
    id_hashes = np.concatenate([source.id_hashes[rows] for source, rows in parts])
    columns |= _strings("id", [(source.ids, rows) for source, rows in parts]) | _keys("id", id_hashes)
    columns |= _metadata(parts)
    if layout.texts:
        texts = [(source.texts, rows) for source, rows in parts if source.texts is not None]
        hashes = [source.text_hashes[rows] for source, rows in parts if source.text_hashes is not None]
        columns |= _strings("text", texts) | _keys("text", np.concatenate(hashes))
    return columns


def _transposed(prefix: str, precision: Precision) -> bool:
    """Whether a column is stored transposed: for the scan if its kernel needs that, but not for a copy, read by row."""
    return precision.transposed and prefix != _COPY


def _numbers(parts: Sequence[Part], name: str) -> Iterator[NDArray[Any]]:
    for source, rows in parts:
        for at in range(0, len(rows), ROWS):
            yield source.column(name, rows[at : at + ROWS])


def _blocks(chunks: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """The rows of ``chunks``, regrouped into blocks of `ROWS` rows."""
    waiting: list[NDArray[Any]] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(map(len, waiting)) >= ROWS:
            joined = np.concatenate(waiting)
            yield joined[:ROWS]
            waiting = [joined[ROWS:]]
    if waiting:
        yield np.concatenate(waiting)


def _strings(name: str, parts: Sequence[tuple[Strings, Ids]]) -> dict[str, Column]:
    ends = np.cumsum(np.concatenate([strings.lengths(rows) for strings, rows in parts]))
    size = int(ends[-1]) if len(ends) else 0
    content = (piece for strings, rows in parts for piece in strings.parts(rows))
    return {f"{name}_content": Column(np.uint8, (size,), content), f"{name}_ends": Column.of(ends)}


def _keys(name: str, hashes: Hashes) -> dict[str, Column]:
    keys = Keys.of(hashes)
    return {f"{name}_hashes": Column.of(keys.hashes), f"{name}_rows": Column.of(keys.rows)}


def _metadata(parts: Sequence[Part]) -> dict[str, Column]:
    """The distinct metadata, each stored once, and for every row the number of its metadata."""
    places: dict[bytes, int] = {}
    rows = [places.setdefault(found, len(places)) for source, rows in parts for found in source.metadata_of(rows)]
    distinct = Strings.of(list(places))
    columns = _strings("metadata", [(distinct, np.arange(len(distinct)))])
    return {**columns, "metadata_rows": Column.of(np.array(rows, dtype=np.int32))}
