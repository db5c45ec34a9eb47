"""Batches: every text once, longest first, within the budget; padding on either side."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st_runtime.model.batching import pad_batch, padded_length, plan_batches


def lengths_of(count: int, longest: int) -> NDArray[np.int64]:
    return np.random.default_rng(count).integers(0, longest, count)


@pytest.mark.parametrize("budget", [1, 64, 512])
@pytest.mark.parametrize("batch_size", [1, 7, 32, 10_000])
@pytest.mark.parametrize(("count", "longest"), [(1, 9), (300, 40), (300, 2), (50, 2000)])
def test_budget_and_batch_size_are_kept(budget: int, batch_size: int, count: int, longest: int) -> None:
    lengths = lengths_of(count, longest)
    batches = list(plan_batches(lengths, budget, batch_size))
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    for rows in batches:
        assert 1 <= len(rows) <= batch_size
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= budget
    ordered = lengths[np.concatenate(batches)]
    assert (np.diff(ordered) <= 0).all()


def test_batches_are_as_large_as_they_may_be() -> None:
    assert [len(rows) for rows in plan_batches(np.full(100, 10), 200, 32)] == [20] * 5
    assert [len(rows) for rows in plan_batches(np.full(100, 2), 200, 32)] == [32, 32, 32, 4]


def test_a_text_beyond_the_budget_is_alone() -> None:
    batches = [rows.tolist() for rows in plan_batches(np.array([3, 900, 2, 3]), 512, 32)]
    assert batches == [[1], [0, 3, 2]]


@pytest.mark.parametrize(
    ("count", "tokens", "workers", "expected"),
    [
        (2, 24, 2, [1, 1]),
        (3, 24, 2, [2, 1]),
        (32, 24, 2, [10, 10, 6, 6]),
        (10, 100, 2, [2, 2, 2, 2, 1, 1]),
        (16, 24, 4, [4, 4, 4, 4]),
        (2, 8, 2, [2]),  # too little to share out
        (32, 24, 1, [10, 10, 10, 2]),
    ],
)
def test_the_last_round_is_shared_out_evenly(count: int, tokens: int, workers: int, expected: list[int]) -> None:
    batches = plan_batches(np.full(count, tokens), 256, 32, workers, least=24)
    assert [len(rows) for rows in batches] == expected


@pytest.mark.parametrize("workers", [2, 5])
@pytest.mark.parametrize(("count", "longest"), [(300, 40), (50, 2000)])
def test_rounds_keep_the_budget(workers: int, count: int, longest: int) -> None:
    lengths = lengths_of(count, longest)
    batches = list(plan_batches(lengths, 512, 32, workers, least=24))
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert all(len(rows) == 1 or len(rows) * lengths[rows].max() <= 512 for rows in batches)


def test_no_texts() -> None:
    assert list(plan_batches(np.empty(0, dtype=np.int64), 512, 32)) == []


IDS = [np.array(ids, dtype=np.int32) for ids in ([5, 6, 7], [], [8])]
TYPES = [np.array(types, dtype=np.int32) for types in ([0, 1, 1], [], [1])]


@pytest.mark.parametrize(
    ("left", "ids", "mask", "types"),
    [
        (
            False,
            [[5, 6, 7], [9, 9, 9], [8, 9, 9]],
            [[1, 1, 1], [0, 0, 0], [1, 0, 0]],
            [[0, 1, 1], [0, 0, 0], [1, 0, 0]],
        ),
        (True, [[5, 6, 7], [9, 9, 9], [9, 9, 8]], [[1, 1, 1], [0, 0, 0], [0, 0, 1]], [[0, 1, 1], [0, 0, 0], [0, 0, 1]]),
    ],
    ids=["right", "left"],
)
def test_padding(left: bool, ids: list[list[int]], mask: list[list[int]], types: list[list[int]]) -> None:
    batch = pad_batch(IDS, TYPES, 9, left)
    assert batch.token_type_ids is not None
    for found, expected in ((batch.input_ids, ids), (batch.attention_mask, mask), (batch.token_type_ids, types)):
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, expected)
    assert batch.shape == (3, 3)
    assert set(batch.features()) == {"input_ids", "attention_mask", "token_type_ids"}


def test_a_huge_text_by_itself() -> None:
    ids = np.arange(70_000, dtype=np.int32)
    alone, beside = (pad_batch([ids, *others], [ids, *others], 0, False) for others in ([], [ids[:1]]))
    for found, expected in zip(alone.features().values(), beside.features().values(), strict=True):
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, expected[:1])


def test_padding_without_types_or_tokens() -> None:
    batch = pad_batch([IDS[1], IDS[1]], None, 7, pad_left=False)
    np.testing.assert_array_equal(batch.input_ids, [[7], [7]])
    np.testing.assert_array_equal(batch.attention_mask, [[0], [0]])
    assert set(batch.features()) == {"input_ids", "attention_mask"}


@pytest.mark.parametrize(
    ("longest", "step", "limit", "expected"),
    [
        (45, 1, None, 45),
        (45, 8, None, 48),
        (48, 8, 512, 48),
        (45, 8, 46, 46),
        (45, 8, 45, 45),
        (46, 8, 45, 46),
        (32, 8, None, 32),
        (33, 8, None, 40),
        (5, 8, None, 5),
        (0, 8, None, 1),
    ],
)
def test_longer_batches_are_rounded_up_to_the_limit(longest: int, step: int, limit: int | None, expected: int) -> None:
    assert padded_length(longest, step, limit) == expected


@pytest.mark.parametrize(("left", "more"), [(False, (0, 5)), (True, (5, 0))], ids=["right", "left"])
def test_rounding_pads_on_the_same_side(left: bool, more: tuple[int, int]) -> None:
    ids = [np.arange(35, dtype=np.int32), IDS[0]]
    plain, rounded = pad_batch(ids, None, 9, left), pad_batch(ids, None, 9, left, step=8)
    np.testing.assert_array_equal(rounded.input_ids, np.pad(plain.input_ids, ((0, 0), more), constant_values=9))
    np.testing.assert_array_equal(rounded.attention_mask, np.pad(plain.attention_mask, ((0, 0), more)))
