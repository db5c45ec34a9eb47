"""Segments as files: round trips, their layout, and damage."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, MissingFileError
from edge_st_runtime.files.fields import Fields
from edge_st_runtime.store.segment_file import (
    REPAIR,
    SEGMENT_NAME,
    Column,
    check_entry,
    checked_column,
    read_segment,
    remove_segments,
    verify_segment,
    write_segment,
)
from tests.support.damage import cut, flip

generator = np.random.default_rng(7)
ARRAYS: dict[str, Any] = {
    "bytes": generator.integers(0, 255, 13).astype(np.uint8),
    "codes": generator.integers(-127, 127, (5, 3)).astype(np.int8),
    "halves": generator.standard_normal(7).astype(np.float16),
    "rows": np.arange(3, dtype=np.int32),
    "numbers": generator.standard_normal((2, 5)).astype(np.float32),
    "doubles": generator.standard_normal(3),
    "ends": np.arange(5, dtype=np.int64),
    "words": np.array([2**64 - 1, 0], dtype=np.uint64),
    "none": np.empty((0, 4), dtype=np.float32),
    "marks": np.array([True, False]),
}


def write(folder: Path, arrays: dict[str, Any] = ARRAYS) -> dict[str, Any]:
    return write_segment(folder, {name: Column.of(array) for name, array in arrays.items()})


def check(found: Any, expected: dict[str, Any] = ARRAYS) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)


def test_round_trip(tmp_path: Path) -> None:
    entry = write(tmp_path)
    path = tmp_path / entry["name"]
    assert SEGMENT_NAME.fullmatch(entry["name"])
    assert path.stat().st_size == entry["bytes"]
    verify_segment(tmp_path, entry)
    found = read_segment(tmp_path, entry)
    check(found)
    assert not any(array.flags.writeable for array in found.values())
    remove_segments(tmp_path, [entry, entry])
    assert not path.exists()
    check(found)
    check(read_segment(tmp_path, write(tmp_path, {})), {})


def test_columns_are_aligned(tmp_path: Path) -> None:
    entry = write(tmp_path)
    assert all(array.flags.aligned for array in read_segment(tmp_path, entry).values())
    content = (tmp_path / entry["name"]).read_bytes()
    size = int.from_bytes(content[:8], "little")
    assert size % 64 == 56
    for described in json.loads(content[8 : 8 + size]).values():
        width = int(described["dtype"][1:]) // 8 if described["dtype"] != "BOOL" else 1
        assert described["data_offsets"][0] % width == 0


def test_safetensors_reads_it(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    check(numpy.load_file(tmp_path / write(tmp_path)["name"]))


@pytest.mark.parametrize("sizes", [[5], [1, 4], [2, 0, 3]])
def test_columns_that_come_in_chunks(tmp_path: Path, sizes: list[int]) -> None:
    array = np.asfortranarray(np.arange(15, dtype=np.float64).reshape(5, 3))
    chunks = np.split(array, np.cumsum(sizes)[:-1])
    entry = write_segment(tmp_path, {"a": Column(np.float32, (5, 3), [chunk.astype(np.float32) for chunk in chunks])})
    check(read_segment(tmp_path, entry), {"a": array.astype(np.float32)})


def test_what_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        yield np.zeros(2, dtype=np.float32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_segment(tmp_path, {"a": Column(np.float32, (4,), broken())})
    with pytest.raises(AssertionError, match="a lacks 4 bytes"):
        write_segment(tmp_path, {"a": Column(np.float32, (2,), [np.zeros(1, dtype=np.float32)])})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    entry = write(tmp_path)
    path = tmp_path / entry["name"]
    while path.stat().st_size:
        cut(path, min(37, path.stat().st_size))
        for read in (read_segment, verify_segment):
            with pytest.raises(DamagedFileError, match=rf"has {path.stat().st_size} bytes, expected {entry['bytes']}"):
                read(tmp_path, entry)
        with pytest.raises(DamagedFileError, match="is truncated or not a safetensors file"):
            read_segment(tmp_path, {**entry, "bytes": path.stat().st_size})


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    """The checksum tells; one in the header never moves the data, and raises nothing but DamagedFileError."""
    entry = write(tmp_path)
    path = tmp_path / entry["name"]
    whole = path.read_bytes()
    size = 8 + int.from_bytes(whole[:8], "little")
    for place in (*range(size), *range(size, entry["bytes"], 7)):
        flip(path, place, place % 8)
        with pytest.raises(DamagedFileError, match=r"has sha256 \w+, expected \w+; build the index again"):
            verify_segment(tmp_path, entry)
        if place < size:
            try:
                found = read_segment(tmp_path, entry)
            except DamagedFileError:
                found = {}
            for name in set(found) & set(ARRAYS):
                if found[name].dtype == ARRAYS[name].dtype and found[name].shape == ARRAYS[name].shape:
                    np.testing.assert_array_equal(found[name], ARRAYS[name])
        path.write_bytes(whole)
    verify_segment(tmp_path, entry)


@pytest.mark.parametrize("bit", range(12))
def test_a_header_of_another_length(tmp_path: Path, bit: int) -> None:
    """Padding at its end does not move the data."""
    entry = write(tmp_path, {"a": np.arange(1000, dtype=np.uint8)})
    flip(tmp_path / entry["name"], bit // 8, bit % 8)
    with pytest.raises(DamagedFileError):
        read_segment(tmp_path, entry)


def test_missing_and_misspelt(tmp_path: Path) -> None:
    entry = write(tmp_path)
    wrong = [{"name": name} for name in ("../" + entry["name"], "segment-1.safetensors", "", "/etc/passwd", 5, None)]
    wrong += [{"bytes": size} for size in (-1, 2**63, 1.0, True, "1", None)]
    wrong += [{"sha256": digest} for digest in ("", "0" * 40, 7, None)]
    for change in wrong:
        ((key, value),) = change.items()
        found = re.escape(repr(value))
        with pytest.raises(DamagedFileError, match=rf"^x\.json: {key} is {found}; expected .*; build the"):
            check_entry(Fields({**entry, **change}, "x.json", REPAIR))
    assert check_entry(Fields(entry, "x.json", REPAIR)) == entry["name"]
    (tmp_path / entry["name"]).unlink()
    for read in (read_segment, verify_segment):
        with pytest.raises(MissingFileError, match=r"safetensors is missing; build the index again"):
            read(tmp_path, entry)


def test_columns_of_another_kind() -> None:
    with pytest.raises(DamagedFileError, match=r"here holds no such column for 'x'; expected float32"):
        checked_column(ARRAYS, "x", np.float32, "here")
    with pytest.raises(DamagedFileError, match=r"here holds float64 for 'doubles'; expected float32"):
        checked_column(ARRAYS, "doubles", np.float32, "here")
    assert checked_column(ARRAYS, "doubles", np.float64, "here") is ARRAYS["doubles"]
