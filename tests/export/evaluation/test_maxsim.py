"""MaxSim of ours is that of sentence-transformers, over shapes, masks and chunks drawn at random."""

from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import util as theirs

from edge_st import util as ours

FUNCTIONS = ("maxsim", "maxsim_pairwise", "mean_maxsim", "mean_maxsim_pairwise")
SIDES = ("list", "padded", "one")


def side(random: np.random.Generator, kind: str, count: int, dim: int) -> tuple[Any, list[int]]:
    """Token vectors of texts, some of them without any, as a ``kind`` of argument; and their numbers."""
    lengths = random.integers(random.integers(0, 2), 9, count).tolist()
    items = [random.standard_normal((length, dim)).astype(np.float32) for length in lengths]
    if kind == "list":
        return items, lengths
    if kind == "one":
        one = random.standard_normal((int(random.integers(1, 9)), dim)).astype(np.float32)
        return one, [len(one)]
    padded = np.zeros((count, max([*lengths, 1]), dim), dtype=np.float32)
    for row, item in zip(padded, items, strict=True):
        row[: len(item)] = item
    return padded, lengths


def mask(random: np.random.Generator, embeddings: Any, lengths: list[int]) -> Any:
    """None, bools, weights, or a list of masks, about seven tenths of which count."""
    width = embeddings.shape[-2] if isinstance(embeddings, np.ndarray) else max(lengths, default=0)
    marked = random.random((len(lengths), width)) < 0.7
    for row, length in zip(marked, lengths, strict=True):
        row[length:] = False
    choices = [None, marked, marked * random.random(marked.shape).astype(np.float32), list(marked) or None]
    return choices[random.integers(0, 4)]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("first", SIDES)
@pytest.mark.parametrize("second", SIDES)
@pytest.mark.parametrize("as_tensors", [False, True], ids=["arrays", "tensors"])
def test_scores(function: str, first: str, second: str, as_tensors: bool) -> None:
    random = np.random.default_rng([FUNCTIONS.index(function), SIDES.index(first), SIDES.index(second)])
    for _ in range(60):
        dim, count = int(random.integers(1, 6)), int(random.integers(0, 6))
        others = count if "pairwise" in function else int(random.integers(0, 6))
        if "pairwise" in function and "one" in (first, second):
            count = others = 1
        a, of_a = side(random, first, count, dim)
        b, of_b = side(random, second, others, dim)
        masks = {"a_mask": mask(random, a, of_a), "b_mask": mask(random, b, of_b)}
        chunk = [None, 1, 50, 1000][random.integers(0, 4)]
        arguments = [tensors(each) for each in (a, b)] if as_tensors else [a, b]
        options = {name: tensors(value) if as_tensors else value for name, value in masks.items()}
        options |= {"chunk_elements": chunk, "length_normalize": bool(random.integers(0, 2))}
        wanted = np.asarray(getattr(theirs, function)(*arguments, **options))
        found = getattr(ours, function)(*arguments, **options)
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def tensors(value: Any) -> Any:
    if isinstance(value, list):
        return [torch.from_numpy(each) for each in value]
    return None if value is None else torch.from_numpy(value)


def test_numbers_of_eight_bits() -> None:
    random = np.random.default_rng(0)
    a, b = ([random.integers(-9, 9, (length, 4)).astype(np.int8) for length in (3, 5)] for _ in range(2))
    assert np.array_equal(ours.maxsim(a, b), np.asarray(theirs.maxsim(a, b)))


def test_what_both_refuse() -> None:
    a, b = np.ones((2, 3, 4), dtype=np.float32), np.ones((3, 3, 4), dtype=np.float32)
    for util in (ours, theirs):
        with pytest.raises(ValueError, match="same number of items"):
            util.maxsim_pairwise(a, b)
        with pytest.raises(ValueError, match="`b_mask` covers 2 tokens, but the padded embeddings have 3"):
            util.maxsim(a, b, b_mask=np.ones((3, 2)))
