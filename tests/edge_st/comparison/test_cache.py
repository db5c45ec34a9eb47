"""Outputs of models are kept, so that an interrupted comparison continues."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st.comparison.cache import PORTION, Cache, Portion, joined
from edge_st.comparison.inputs import Inputs
from edge_st.comparison.random_pairs import Pair
from edge_st_runtime.vectors.sparse import SparseMatrix


class Counted:
    """Computes outputs (n, 2) with the length of each text, and records the texts it was called with."""

    def __init__(self, fails_after: int = 10**9, *, sparse: bool = False) -> None:
        self.calls: list[Sequence[str | Pair]] = []
        self.fails_after, self.sparse = fails_after, sparse

    def __call__(self, texts: Sequence[str | Pair]) -> Portion:
        if len(self.calls) == self.fails_after:
            raise KeyboardInterrupt
        self.calls.append(texts)
        dense = np.array([[len(text), 0] for text in texts], dtype=np.float32)
        return Portion(SparseMatrix.from_dense(dense) if self.sparse else dense, 0.5, 1234)


INPUTS = Inputs("text", [f"{place:05d}" + "x" * (place % 7) for place in range(3 * PORTION + 5)])


def test_token_vectors_are_kept_by_their_texts(tmp_path: Path) -> None:
    vectors = [np.full((length, 3), place, dtype=np.float32) for place, length in enumerate((2, 0, 3, 1))]
    inputs = Inputs("document", ["a", "b", "c", "d"])
    cache = Cache(tmp_path, "one")
    list(cache.portions(inputs, lambda texts: Portion(vectors[: len(texts)], 0.5, 1234)))
    found: Any = joined([portion.outputs for _ in range(2) for portion in cache.portions(inputs)])
    assert [each.tolist() for each in found] == [each.tolist() for each in vectors * 2]
    assert [each.shape for each in found] == [each.shape for each in vectors * 2]


def rows(portions: Iterator[Portion]) -> np.ndarray[Any, Any]:
    found: Any = joined([portion.outputs for portion in portions])
    return found.to_dense() if isinstance(found, SparseMatrix) else found


@pytest.mark.parametrize("sparse", [False, True])
def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, *, sparse: bool) -> None:
    first, second = Counted(2, sparse=sparse), Counted(sparse=sparse)
    with pytest.raises(KeyboardInterrupt):
        list(Cache(tmp_path, "one").portions(INPUTS, first))
    found = list(Cache(tmp_path, "one").portions(INPUTS, second))
    assert [*first.calls, *second.calls] == [INPUTS.texts[start : start + PORTION] for start in range(0, 1541, PORTION)]
    assert (len(first.calls), len(second.calls)) == (2, 2)
    assert [(portion.seconds, portion.peak_memory) for portion in found] == [(0.5, 1234)] * 4
    again = Cache(tmp_path, "one").portions(INPUTS)
    np.testing.assert_array_equal(rows(again), [[len(text), 0] for text in INPUTS.texts])
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".npz"]


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "another array", "gone", "flipped"])
def test_what_is_damaged_is_computed_again(tmp_path: Path, damage: str) -> None:
    cache, inputs = Cache(tmp_path, "one"), Inputs("text", INPUTS.texts[:9])
    expected = rows(cache.portions(inputs, Counted()))
    (path,) = tmp_path.rglob("*.npz")
    content = path.read_bytes()
    middle = content.index(b"NUMPY", len(content) // 2) + 80
    damaged = {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "text": b"not an archive",
        "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
    }
    if damage in damaged:
        path.write_bytes(damaged[damage])
    elif damage == "gone":
        path.unlink()
    else:
        np.savez(path, something=np.zeros(3))
    with pytest.raises(KeyError):
        list(cache.portions(inputs))
    compute = Counted()
    for _ in range(2):
        np.testing.assert_array_equal(rows(cache.portions(inputs, compute)), expected)
    assert len(compute.calls) == 1


def test_no_flipped_byte_is_an_error(tmp_path: Path) -> None:
    cache, inputs = Cache(tmp_path, "one"), Inputs("text", INPUTS.texts[:3])
    expected = rows(cache.portions(inputs, Counted()))
    (path,) = tmp_path.rglob("*.npz")
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        np.testing.assert_array_equal(rows(cache.portions(inputs, Counted())), expected)


def test_another_model_another_side_or_other_texts_are_computed(tmp_path: Path) -> None:
    texts = INPUTS.texts[:9]
    for identity, inputs in (
        ("one", Inputs("text", texts)),
        ("two", Inputs("text", texts)),
        ("one", Inputs("query", texts)),
        ("one", Inputs("text", texts[:8])),
        ("one", Inputs("text", texts[::-1])),
        ("one", Inputs("pair", [("a", "bc")])),
        ("one", Inputs("pair", [("ab", "c")])),
    ):
        compute = Counted()
        list(Cache(tmp_path, identity).portions(inputs, compute))
        list(Cache(tmp_path, identity).portions(inputs, compute))
        assert len(compute.calls) == 1
    assert len(list(tmp_path.iterdir())) == 2
