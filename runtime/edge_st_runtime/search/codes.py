"""The precisions that an index stores vectors in: float32, float16, int8 or binary. Each encodes, decodes and scores.

Encoded vectors are columns, arrays with one row for each vector: "vectors" with ``width`` numbers of ``dtype``, and
the ``extra`` columns with one number. A vector's row depends on that vector alone, so rows can be copied between
indexes. A precision says whether its blocks are ``transposed``, whether several threads score them faster
(``threaded``; NumPy's matrix multiplication has threads of its own), and how many ``candidates`` of a scan to rescore.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ids
from ..errors import OptionError
from ..vectors.similarity import Similarity
from .blocks import ROWS, Blocks
from .integer_product import LIMIT, IntegerProduct

Columns: TypeAlias = Mapping[str, NDArray[Any]]
#: Gives the scores (queries, rows) of the block that begins at a row. They can be compared within a query only. It is
#: for one thread, as it reuses its memory.
Scorer: TypeAlias = Callable[[int], Floats]
Precision: TypeAlias = "Float | Int8 | Binary"
_INT8 = 127
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False, slots=True)
class EncodedVectors:
    """Vectors of ``dim`` dimensions, encoded in ``precision``: ``blocks`` of codes, and the ``extra`` columns."""

    precision: Precision
    dim: int
    blocks: Blocks
    extra: Columns

    def __len__(self) -> int:
        return self.blocks.rows

    def take(self, rows: Ids) -> dict[str, NDArray[Any]]:
        """The columns of ``rows`` (n,)."""
        return {"vectors": self.blocks.take(rows), **{name: column[rows] for name, column in self.extra.items()}}

    def vectors(self, rows: Ids) -> Floats:
        """The decoded vectors (n, dim) of ``rows`` (n,)."""
        return self.precision.decode(self.take(rows), self.dim)


@dataclass(frozen=True)
class Float:
    """The numbers themselves, as float32 or rounded to float16."""

    name: str
    dtype: Any
    threaded: bool
    transposed: bool = False
    extra: tuple[tuple[str, Any], ...] = ()

    def width(self, dim: int) -> int:
        """``dim``."""
        return dim

    def candidates(self, top_k: int) -> int:
        """``top_k``, because the scores are exact."""
        return top_k

    def encode(self, vectors: Floats) -> dict[str, NDArray[Any]]:
        """The numbers in this dtype; raises OptionError for numbers that it cannot hold."""
        with np.errstate(over="ignore"):
            found = vectors.astype(self.dtype, copy=False)
        if not np.isfinite(found).all():
            raise OptionError(f"embeddings hold numbers too large for {self.name}; use precision='float32'")
        return {"vectors": found}

    def decode(self, columns: Columns, dim: int) -> Floats:  # noqa: ARG002 - the array has it
        """The same numbers as float32."""
        found = columns["vectors"]
        return found if self.dtype == np.float32 else _widened(found, np.empty(found.shape, dtype=np.float32))

    def scorer(self, queries: Floats, encoded: EncodedVectors, similarity: Similarity) -> Scorer:
        """Scores by ``similarity``. Float16 rows are converted a thousand at a time, which fit the CPU's cache."""
        if self.dtype == np.float32:
            return lambda start: similarity(queries, encoded.blocks.block(start))

        wide = np.empty((_ROWS_AT_ONCE, encoded.dim), dtype=np.float32)

        def score(start: int) -> Floats:
            block = encoded.blocks.block(start)
            parts = [block[at : at + _ROWS_AT_ONCE] for at in range(0, len(block), _ROWS_AT_ONCE)]
            return np.concatenate([similarity(queries, _widened(part, wide)) for part in parts], axis=1)

        return score


@dataclass(frozen=True)
class Int8:
    """One byte for each number, in 255 steps between plus and minus the vector's largest number, and a scale."""

    name: str = "int8"
    dtype: Any = np.int8
    transposed: bool = True
    threaded: bool = True
    extra: tuple[tuple[str, Any], ...] = (("scales", np.float32), ("sums", np.int32))

    def width(self, dim: int) -> int:
        """``dim``."""
        return dim

    def candidates(self, top_k: int) -> int:
        """Four times ``top_k``: rounding a query moves its best rows no farther than that."""
        return 4 * top_k

    def encode(self, vectors: Floats) -> dict[str, NDArray[Any]]:
        """Rounded codes, each vector's scale (code times scale is the number), and the sums of the codes."""
        codes, scales = _codes(vectors, _INT8)
        return {"vectors": codes, "scales": scales, "sums": codes.sum(axis=1, dtype=np.int32)}

    def decode(self, columns: Columns, dim: int) -> Floats:  # noqa: ARG002 - the array has it
        """Codes times scale."""
        return columns["vectors"] * columns["scales"][:, None]

    def scorer(self, queries: Floats, encoded: EncodedVectors, similarity: Similarity) -> Scorer:  # noqa: ARG002 - dot product
        """Dot products with the queries, which are rounded to 127 steps; in units of each query's step."""
        codes, _ = _codes(queries, LIMIT)
        product = IntegerProduct(codes, len(encoded))

        def score(start: int) -> Floats:
            rows = slice(start, start + ROWS)
            found = product(encoded.blocks.block(start), encoded.extra["sums"][rows])
            found *= encoded.extra["scales"][rows]
            return found

        return score


@dataclass(frozen=True)
class Binary:
    """One bit for each number, set where it is positive, in 64-bit words."""

    name: str = "binary"
    dtype: Any = np.uint64
    transposed: bool = True
    threaded: bool = True
    extra: tuple[tuple[str, Any], ...] = ()

    def width(self, dim: int) -> int:
        """The number of 64-bit words."""
        return -(-dim // 64)

    def candidates(self, top_k: int) -> int:
        """Twenty times ``top_k``, but at least 1,500: bits are coarse, and rescoring so few rows is fast."""
        return max(20 * top_k, 1500)

    def encode(self, vectors: Floats) -> dict[str, NDArray[Any]]:
        """The bits, padded with zeros to whole words."""
        bits = np.packbits(vectors > 0, axis=1)
        padded = np.zeros((len(vectors), self.width(vectors.shape[1]) * 8), dtype=np.uint8)
        padded[:, : bits.shape[1]] = bits
        return {"vectors": padded.view(np.uint64)}

    def decode(self, columns: Columns, dim: int) -> Floats:
        """Vectors of unit length, positive where a bit is set and negative where it is not."""
        bits = np.ascontiguousarray(columns["vectors"]).view(np.uint8)
        signs = np.unpackbits(bits, axis=1, count=dim).astype(np.float32) * 2 - 1
        return signs / np.float32(np.sqrt(dim))

    def scorer(self, queries: Floats, encoded: EncodedVectors, similarity: Similarity) -> Scorer:  # noqa: ARG002 - bits
        """The number of equal bits."""
        words = ~self.encode(queries)["vectors"]
        shape = (words.shape[1], ROWS)
        same, counts = np.empty(shape, dtype=np.uint64), np.empty(shape, dtype=np.uint8)

        def score(start: int) -> Floats:
            block = encoded.blocks.block(start)
            rows = block.shape[1]
            scores = np.empty((len(words), rows), dtype=np.float32)
            for query, out in zip(words, scores, strict=True):
                np.bitwise_xor(block, query[:, None], out=same[:, :rows])
                np.bitwise_count(same[:, :rows], out=counts[:, :rows])
                out[:] = np.add.reduce(counts[:, :rows], axis=0, dtype=np.uint16)
            return scores

        return score


PRECISIONS: Mapping[str, Precision] = {
    found.name: found
    for found in (Float("float32", np.float32, threaded=False), Float("float16", np.float16, True), Int8(), Binary())
}


def _widened(block: NDArray[np.float16], out: Floats) -> Floats:
    """``block`` (n, dim) as float32, in the first rows of ``out``.

    Sign, exponent and fraction are shifted to their places in a float32. That is 2**112 times too small, because the
    exponent's bias differs, so it is multiplied by 2**112. This is exact for all finite numbers, and several times as
    fast as NumPy's conversion.
    """
    out = out[: len(block)]
    bits = out.view(np.int32)
    np.copyto(bits, block.view(np.int16))
    bits <<= 13
    bits &= np.int32(-0x70000001)
    out *= np.float32(2.0**112)
    return out


def _codes(vectors: Floats, limit: int) -> tuple[NDArray[np.int8], Floats]:
    """Codes (n, dim) from -limit to limit, and the scale (n,) of each; 0 for a vector of zeros or almost zeros."""
    scales = np.abs(vectors).max(axis=1, initial=0) / np.float32(limit)
    scales[scales < np.finfo(np.float32).tiny] = 0  # too few bits are left to divide by
    divisors = np.where(scales == 0, np.float32(1), scales)
    return np.rint(vectors / divisors[:, None]).astype(np.int8), scales
