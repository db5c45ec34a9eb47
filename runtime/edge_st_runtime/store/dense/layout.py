"""How segments store dense vectors: encoded once for the scan, and once more where they are rescored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ids
from ...search.blocks import ROWS, Blocks
from ...search.codes import PRECISIONS, EncodedVectors, Precision
from ..rows.layout import Columns, sized_column
from ..segment_file import Column

_COPY = "rescore_"


@dataclass(frozen=True, eq=False, slots=True)
class DenseVectors:
    """The vectors of rows: their ``codes`` for the scan, and a ``copy`` for rescoring or None."""

    codes: EncodedVectors
    copy: EncodedVectors | None

    @property
    def finest(self) -> EncodedVectors:
        """The finest stored vectors: the copy, where there is one."""
        return self.copy or self.codes

    def column(self, name: str, rows: Ids) -> NDArray[Any]:
        """The numbers of ``rows`` (n,)."""
        prefix = _COPY if name.startswith(_COPY) else ""
        encoded = self.copy if prefix else self.codes
        assert encoded is not None
        name = name.removeprefix(prefix)
        return encoded.blocks.take(rows) if name == "vectors" else encoded.extra[name][rows]


Part: TypeAlias = tuple[DenseVectors, Ids]


@dataclass(frozen=True)
class DenseLayout:
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

    def encode(self, vectors: Floats) -> DenseVectors:
        """Vectors (n, dim) as they are stored."""
        return self._in_memory({prefix: precision.encode(vectors) for prefix, precision in self.copies.items()})

    def _in_memory(self, columns: Mapping[str, Columns]) -> DenseVectors:
        """The vectors in the columns of each copy."""
        copies = {}
        for prefix, precision in self.copies.items():
            extra = dict(columns[prefix])
            codes = extra.pop("vectors")
            blocks = Blocks(codes.reshape(-1), len(codes), codes.shape[1])
            copies[prefix] = EncodedVectors(precision, self.dim, blocks, extra)
        return DenseVectors(copies[""], copies.get(_COPY))

    @property
    def bytes_per_vector(self) -> int:
        """The bytes that one vector takes on disk, in all its columns."""
        one = np.zeros((1, self.dim), dtype=np.float32)
        return sum(c[0].nbytes for precision in self.copies.values() for c in precision.encode(one).values())

    def opened(self, columns: Columns, rows: int) -> DenseVectors:
        """The vectors of a segment; raises DamagedFileError for columns of another layout."""
        copies = {
            prefix: _opened(columns, self.dim, rows, prefix, precision) for prefix, precision in self.copies.items()
        }
        return DenseVectors(copies[""], copies.get(_COPY))

    def written(self, parts: Sequence[Part]) -> dict[str, Column]:
        """The columns of a segment with the given rows of each part, in order; read while they are written."""
        count = sum(len(rows) for _, rows in parts)
        columns = {}
        for prefix, precision in self.copies.items():
            for name, dtype in precision.extra:
                columns[prefix + name] = Column(dtype, (count,), _numbers(parts, prefix + name))
            chunks = _numbers(parts, f"{prefix}vectors")
            if _transposed(prefix, precision):
                chunks = (block.T for block in _blocks(chunks))
            columns[f"{prefix}vectors"] = Column(precision.dtype, (count * precision.width(self.dim),), chunks)
        return columns

    def joined(self, parts: Sequence[Part]) -> DenseVectors:
        """The vectors of the given rows of each part, in order, in memory."""
        none = np.empty((0, self.dim), dtype=np.float32)
        return self._in_memory(
            {
                prefix: {
                    name: np.concatenate([empty, *(vectors.column(prefix + name, rows) for vectors, rows in parts)])
                    for name, empty in precision.encode(none).items()
                }
                for prefix, precision in self.copies.items()
            }
        )


def _opened(columns: Columns, dim: int, rows: int, prefix: str, precision: Precision) -> EncodedVectors:
    width = precision.width(dim)
    values = sized_column(columns, f"{prefix}vectors", precision.dtype, rows * width)
    extra = {name: sized_column(columns, prefix + name, dtype, rows) for name, dtype in precision.extra}
    return EncodedVectors(precision, dim, Blocks(values, rows, width, transposed=_transposed(prefix, precision)), extra)


def _transposed(prefix: str, precision: Precision) -> bool:
    """Whether a column is stored transposed: for the scan if its kernel needs that, but not for a copy, read by row."""
    return precision.transposed and prefix != _COPY


def _numbers(parts: Sequence[Part], name: str) -> Iterator[NDArray[Any]]:
    for vectors, rows in parts:
        for at in range(0, len(rows), ROWS):
            yield vectors.column(name, rows[at : at + ROWS])


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
