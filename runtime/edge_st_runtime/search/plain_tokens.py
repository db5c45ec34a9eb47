"""Token vectors in one byte a dimension, and exact MaxSim over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ids
from .best import NO_ROW, Allowed, Best

Columns: TypeAlias = Mapping[str, NDArray[Any]]
PRECISIONS = ("int8",)
_TOKENS = 65_536
_SPARE = 16


@dataclass(frozen=True)
class TokenCodec:
    """Vectors of ``dim`` numbers as bytes and a scale each."""

    precision: str
    dim: int

    @classmethod
    def trained(cls, sample: Floats, precision: str, seed: int = 0) -> "TokenCodec":  # noqa: ARG003
        """A codec for vectors such as ``sample`` (n, dim)."""
        return cls(precision, sample.shape[1])

    def parameters(self) -> dict[str, NDArray[Any]]:
        """What `from_parameters` takes."""
        return {"dim": np.array([self.dim], dtype=np.int64)}

    @classmethod
    def from_parameters(cls, precision: str, dim: int, arrays: Columns) -> "TokenCodec":  # noqa: ARG003
        """The codec that gave `parameters`."""
        return cls(precision, dim)

    @property
    def columns(self) -> dict[str, tuple[Any, int]]:
        """For each column of codes its dtype and the numbers for each token."""
        return {"codes": (np.int8, self.dim), "scales": (np.float32, 1)}

    posting_columns: ClassVar[dict[str, Any]] = {}

    def encode(self, tokens: Floats) -> dict[str, NDArray[Any]]:
        """The columns of tokens (n, dim)."""
        scales = np.abs(tokens).max(axis=1, initial=0, keepdims=True) / np.float32(127)
        return {
            "codes": np.rint(tokens / np.where(scales == 0, 1, scales)).astype(np.int8),
            "scales": scales.astype(np.float32),
        }

    def decode(self, columns: Columns) -> Floats:
        """The vectors (n, dim) of columns."""
        return columns["codes"] * columns["scales"]

    @property
    def bytes_per_token(self) -> int:
        """The bytes of one token in all columns."""
        return self.dim + 4


@dataclass(frozen=True, eq=False)
class Part:
    """Passages from row ``start`` on."""

    codec: TokenCodec
    columns: Columns
    ends: Ids
    start: int = 0
    allowed: Allowed | None = None


def find(queries: Sequence[Floats], parts: Sequence[Part], k: int, threshold: float | None = None) -> tuple[Any, Any]:
    """Scores and rows (queries, k)."""
    found = [_one(query, parts, k, threshold) for query in queries]
    scores = [np.empty((0, k), dtype=np.float32), *(each[0] for each in found)]
    return np.concatenate(scores), np.concatenate([np.empty((0, k), dtype=np.int64), *(each[1] for each in found)])


def _one(query: Floats, parts: Sequence[Part], k: int, threshold: float | None) -> Any:
    best = Best(1, k + _SPARE)
    for part in parts if len(query) else ():
        row, starts = 0, np.concatenate([[0], part.ends[:-1]])
        while row < len(part.ends):
            last = max(row + 1, int(np.searchsorted(part.ends, starts[row] + _TOKENS, side="right")))
            best.offer(_scores(query, part, row, last, starts), part.start + row)
            row = last
    rows = np.sort(best.ranked()[1][0])
    rows = rows[rows != NO_ROW]
    scores, found = np.full((1, k), -np.inf, dtype=np.float32), np.full((1, k), NO_ROW)
    if len(rows):
        exact = Best(1, k, threshold)
        exact.offer(np.array([[_alone(query, parts, row) for row in rows.tolist()]], dtype=np.float32), 0)
        scores, places = exact.ranked()
        found = np.where(places == NO_ROW, NO_ROW, rows[places])
    return scores, found


def _alone(query: Floats, parts: Sequence[Part], row: int) -> Any:
    """The score of a row by itself, so that equal vectors have equal scores."""
    part = [part for part in parts if part.start <= row][-1]
    place = row - part.start
    first = part.ends[place - 1] if place else 0
    own = part.codec.decode({name: column[first : part.ends[place]] for name, column in part.columns.items()})
    return (query @ own.T).max(axis=1).sum()


def _scores(query: Floats, part: Part, row: int, last: int, starts: Ids) -> Floats:
    first = starts[row]
    tokens = part.codec.decode({name: column[first : part.ends[last - 1]] for name, column in part.columns.items()})
    scores = np.full((1, last - row), -np.inf, dtype=np.float32)
    filled = np.flatnonzero(part.ends[row:last] > starts[row:last])
    if len(filled):
        product = query @ tokens.T
        scores[0, filled] = np.maximum.reduceat(product, starts[row:last][filled] - first, axis=1).sum(axis=0)
    if part.allowed is not None:
        scores[:, ~part.allowed[row:last]] = -np.inf
    return scores
