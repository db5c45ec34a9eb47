"""How segments store token vectors: encoded by one codec, one row's after the other's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ids
from ...errors import DamagedFileError
from ...search.late.codec import TokenCodec
from ...search.late.postings import POSTING_COLUMNS, Postings
from ..rows.layout import Columns, sized_column
from ..segment_file import REPAIR, Column

_ENDS = "token_ends"
#: tokens that are in memory at once
_TOKENS = 65_536


@dataclass(frozen=True, eq=False, slots=True)
class TokenVectors:
    """The token vectors of rows, in ``columns`` (tokens, width) of codes; those of row i end at ``ends[i]``.

    ``codec`` made the codes. Where no row has a token, there may be no codec and no columns. New rows in memory have no
    ``postings``.
    """

    codec: TokenCodec | None
    columns: Columns
    ends: Ids
    postings: Postings | None = None

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def tokens(self) -> int:
        """How many tokens all rows have."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def starts(self, rows: Ids) -> Ids:
        """Where the tokens of ``rows`` (n,) begin."""
        return np.where(rows == 0, 0, self.ends[rows - 1])

    def lengths(self, rows: Ids) -> Ids:
        """How many tokens ``rows`` (n,) have."""
        return self.ends[rows] - self.starts(rows)

    def places(self, rows: Ids) -> Ids:
        """The numbers of the tokens of ``rows`` (n,), row by row."""
        lengths = self.lengths(rows)
        ends = np.cumsum(lengths)
        return np.arange(ends[-1] if len(ends) else 0) + np.repeat(self.starts(rows) - ends + lengths, lengths)


Part: TypeAlias = tuple[TokenVectors, Ids]


@dataclass(frozen=True)
class TokenLayout:
    """The layout that all segments of an index have.

    Token vectors have ``dim`` numbers and are stored in ``precision`` by ``codec``, which is None until the first rows
    with tokens are added. ``texts`` says whether texts are stored.
    """

    dim: int
    precision: str
    texts: bool
    codec: TokenCodec | None

    def encode(self, vectors: Sequence[Floats]) -> TokenVectors:
        """The token vectors (tokens, dim) of each row as they are stored; the first ones train the codec."""
        ends = np.cumsum(np.fromiter(map(len, vectors), dtype=np.int64, count=len(vectors)))
        if not len(ends) or not ends[-1]:
            return TokenVectors(self.codec, {}, ends)
        tokens = np.concatenate([found for found in vectors if len(found)])
        codec = self.codec or TokenCodec.trained(tokens, self.precision)
        return TokenVectors(codec, codec.encode(tokens), ends)

    def opened(self, columns: Columns, rows: int) -> TokenVectors:
        """The token vectors of a segment; raises DamagedFileError for columns of another layout."""
        ends = sized_column(columns, _ENDS, np.int64, rows)
        if (np.diff(ends, prepend=0) < 0).any():
            raise DamagedFileError(f"the segment's {_ENDS} do not ascend; {REPAIR}")
        if not ends[-1]:
            return TokenVectors(self.codec, {}, ends)
        if self.codec is None:
            raise DamagedFileError(f"the segment has token vectors, but the index has no codec; {REPAIR}")
        count = int(ends[-1])
        codes = {
            name: sized_column(columns, name, dtype, count * width).reshape(count, width)
            for name, (dtype, width) in self.codec.columns.items()
        }
        postings = {name: sized_column(columns, name, dtype, None) for name, dtype in POSTING_COLUMNS.items()}
        return TokenVectors(self.codec, codes, ends, Postings.opened(postings, len(self.codec.centroids)))

    def written(self, parts: Sequence[Part]) -> dict[str, Column]:
        """The columns of a segment with the given rows of each part, in order; read while they are written."""
        lengths = np.concatenate([vectors.lengths(rows) for vectors, rows in parts])
        ends = np.cumsum(lengths)
        codec, count = _codec(parts), int(ends[-1])
        columns = {_ENDS: Column.of(ends)}
        if codec is not None and count:
            for name, (dtype, width) in codec.columns.items():
                columns[name] = Column(dtype, (count * width,), _numbers(parts, name))
            nearest = np.concatenate([found[:, 0] for found in _numbers(parts, "centroids")])
            postings = Postings.of(nearest, ends, len(codec.centroids))
            columns |= {name: Column.of(array) for name, array in postings.columns().items()}
        return columns

    def joined(self, parts: Sequence[Part]) -> TokenVectors:
        """The token vectors of the given rows of each part, in order, in memory."""
        lengths = [vectors.lengths(rows) for vectors, rows in parts]
        ends = np.cumsum(np.concatenate([np.empty(0, dtype=np.int64), *lengths]))
        codec = _codec(parts) or self.codec
        names = codec.columns if codec is not None and len(ends) and ends[-1] else ()
        return TokenVectors(codec, {name: np.concatenate(list(_numbers(parts, name))) for name in names}, ends)


def _codec(parts: Sequence[Part]) -> TokenCodec | None:
    """The codec of all parts that have tokens; None where none has."""
    return next((vectors.codec for vectors, _ in parts if vectors.tokens), None)


def _numbers(parts: Sequence[Part], name: str) -> Iterator[NDArray[Any]]:
    """The numbers (tokens, width) of the rows of ``parts``, in several arrays."""
    for vectors, rows in parts:
        if vectors.tokens:
            places = vectors.places(rows)
            for at in range(0, len(places), _TOKENS):
                yield vectors.columns[name][places[at : at + _TOKENS]]
