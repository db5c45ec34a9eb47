"""Vectors in blocks of rows: both layouts, rows at the edges of blocks, and mapped files."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.search import blocks
from edge_st_runtime.search.blocks import Blocks

EDGES = [0, 1, 7, 8, 9, 15, 16, 17]


@pytest.fixture(autouse=True)
def eight_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "ROWS", 8)


def stored(vectors: Any, transposed: bool) -> Any:
    """The flat array of ``vectors``."""
    parts = [vectors[start : start + 8] for start in range(0, len(vectors), 8)]
    return np.concatenate([np.empty(0, vectors.dtype), *((part.T if transposed else part).ravel() for part in parts)])


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("rows", EDGES)
@pytest.mark.parametrize("width", [1, 3])
def test_block_and_take(width: int, rows: int, transposed: bool) -> None:
    vectors = np.arange(rows * width, dtype=np.int32).reshape(rows, width)
    kept = Blocks(stored(vectors, transposed), rows, width, transposed=transposed)
    assert len(kept) == rows
    for start in range(0, rows, 8):
        block = kept.block(start)
        np.testing.assert_array_equal(block.T if transposed else block, vectors[start : start + 8])
        kept.release(start)
    order = np.random.default_rng(2).permutation(rows)
    for wanted in (order, order[:1], order[:0], np.repeat(order, 2)):
        np.testing.assert_array_equal(kept.take(wanted), vectors[wanted])


def resident(path: Path) -> int:
    """Bytes of the mapping of ``path`` that are in this process' memory."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    found = [next(line for line in lines if line.startswith("Rss:")) for line in lines if line.endswith(str(path))]
    return sum(int(line.split()[1]) for line in found) * 1024


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="Linux tells what is in memory")  # noqa: PTH110
def test_pages_of_a_mapped_file_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "ROWS", 10_000)
    vectors = np.random.default_rng(3).integers(0, 100, (45_000, 25)).astype(np.float32)
    path = tmp_path / "vectors"
    path.write_bytes(b"a header" + vectors.tobytes())
    mapped = np.memmap(path, dtype=np.uint8, mode="r")[8:]
    kept = Blocks(np.asarray(mapped.view("<f4")), 45_000, 25)
    before = resident(path)
    for start in range(0, 45_000, 10_000):
        np.testing.assert_array_equal(kept.block(start), vectors[start : start + 10_000])
        kept.release(start)
        assert resident(path) - before < 2_500_000
    np.testing.assert_array_equal(kept.take(np.array([44_999, 0])), vectors[[44_999, 0]])


def test_what_is_in_memory_stays_there() -> None:
    kept = Blocks(np.ones(80, dtype=np.float32), 8, 10)
    kept.release(0)
    assert kept.block(0).sum() == 80
