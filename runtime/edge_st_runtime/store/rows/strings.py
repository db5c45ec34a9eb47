"""Many short byte strings in a few arrays, and a lookup by their content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arrays import Ids
from ...errors import DamagedFileError

Hashes: TypeAlias = NDArray[np.uint64]
_AT_ONCE = 10_000


def content_hash(content: bytes) -> int:
    """A 64-bit hash: equal for equal contents, and almost never for different ones."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


@dataclass(frozen=True, eq=False, slots=True)
class Strings:
    """n byte strings, one after the other in ``content`` (bytes,) uint8; string i ends at ``ends[i]`` (n,) int64."""

    content: NDArray[np.uint8]
    ends: Ids

    @classmethod
    def of(cls, strings: Sequence[bytes]) -> "Strings":
        """The arrays for ``strings``."""
        ends = np.cumsum(np.fromiter(map(len, strings), dtype=np.int64, count=len(strings)))
        return cls(np.frombuffer(b"".join(strings), dtype=np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> bytes:
        start = self.ends[row - 1] if row else 0
        return self.content[start : self.ends[row]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (self[row] for row in range(len(self)))

    def lengths(self, rows: Ids) -> Ids:
        """The lengths (n,) in bytes of the strings of ``rows`` (n,)."""
        return self.ends[rows] - np.where(rows == 0, 0, self.ends[rows - 1])

    def parts(self, rows: Ids) -> Iterator[NDArray[np.uint8]]:
        """The content of ``rows`` (n,), one after the other, in several arrays."""
        for at in range(0, len(rows), _AT_ONCE):
            yield np.frombuffer(b"".join(self[row] for row in rows[at : at + _AT_ONCE].tolist()), dtype=np.uint8)


@dataclass(frozen=True, eq=False, slots=True)
class Keys:
    """The ``hashes`` (n,) of n strings, sorted, and the string that each belongs to: ``rows`` (n,) int32."""

    hashes: Hashes
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, hashes: Hashes) -> "Keys":
        """The keys of strings 0, 1, 2 …, whose hashes are given."""
        order = np.argsort(hashes, kind="stable")
        return cls(hashes[order], order.astype(np.int32))

    def find(self, hashes: Hashes) -> Iterator[tuple[int, int]]:
        """For each of ``hashes`` (m,) and each row with that hash: its position in ``hashes``, and the row.

        Raises DamagedFileError for a row number beyond the rows.
        """
        first = np.searchsorted(self.hashes, hashes, side="left")
        last = np.searchsorted(self.hashes, hashes, side="right")
        for place in np.flatnonzero(first < last).tolist():
            for row in self.rows[first[place] : last[place]].tolist():
                if not 0 <= row < len(self.rows):
                    raise DamagedFileError(
                        f"the keys of a segment name row {row} of {len(self.rows)}; find the file with verify()"
                    )
                yield place, row

    def by_row(self) -> Hashes:
        """The hash of every row (n,)."""
        found = np.empty(len(self.hashes), dtype=np.uint64)
        found[self.rows] = self.hashes
        return found
