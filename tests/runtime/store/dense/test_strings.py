"""Byte strings in a few arrays, and finding them by content."""

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.store.rows.snapshot import encoded_id, hashes_of
from edge_st_runtime.store.rows.strings import Keys, Strings, content_hash

MANY = [b"", b"a", b"\0", "ümläut 🙂".encode(), b"x" * 100_000, b"", b"a"]


@pytest.mark.parametrize(
    "strings", [[], [b""], [b"", b""], MANY, [b"one"]], ids=["none", "empty", "two", "many", "one"]
)
def test_round_trip(strings: list[bytes]) -> None:
    kept = Strings.of(strings)
    assert len(kept) == len(strings)
    assert list(kept) == strings
    assert kept.content.dtype == np.uint8
    assert kept.ends.dtype == np.int64


def test_parts_and_lengths() -> None:
    strings = [bytes([place % 256]) * (place % 7) for place in range(25_000)]
    kept = Strings.of(strings)
    for rows in (
        np.arange(25_000),
        np.arange(25_000)[::-3],
        np.array([0]),
        np.array([24_999, 0, 0]),
        np.array([], int),
    ):
        pieces = list(kept.parts(rows))
        assert b"".join(piece.tobytes() for piece in pieces) == b"".join(strings[row] for row in rows)
        np.testing.assert_array_equal(kept.lengths(rows), [len(strings[row]) for row in rows])


def test_found_by_content() -> None:
    hashes = hashes_of(MANY)
    keys = Keys.of(hashes)
    found = set(keys.find(hashes_of([b"a", b"b", b""])))
    assert found == {(0, 1), (0, 6), (2, 0), (2, 5)}
    np.testing.assert_array_equal(keys.by_row(), hashes)
    assert list(Keys.of(hashes_of([])).find(hashes)) == []
    assert list(keys.find(hashes_of([]))) == []


def test_a_row_beyond_the_last() -> None:
    for row in (7, -1, 2**31 - 1, -(2**31)):
        keys = Keys.of(hashes_of(MANY))
        keys.rows[:] = row
        with pytest.raises(DamagedFileError, match=f"row {row} of 7"):
            list(keys.find(hashes_of([b"a"])))


def test_hashes_never_change() -> None:
    """They are stored in index files."""
    assert (content_hash(b""), content_hash(b"edge")) == (0xB4B2797457A0A6E4, 0x1B6E6A487F744253)
    assert content_hash(b"a") != content_hash(b"b")
    assert hashes_of([b"a", b"a"]).tolist() == [content_hash(b"a")] * 2


def test_ids_of_another_type_or_content_differ() -> None:
    ids = [1, "1", "", "\0", "a", "A", "\u00e9", "e\u0301", "🙂", "\ud800", 0, -1, 10**30, "x" * 1000]
    assert len({encoded_id(found) for found in ids}) == len(ids)
