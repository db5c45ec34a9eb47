"""Queries that are filled up: every position by hand."""

import numpy as np

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.text.expansion import QueryExpansion

IDS = np.array([[7, 8, 0, 0, 0], [7, 8, 9, 9, 9], [7, 0, 0, 0, 0]])
MASK = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])


def test_padding_within_the_length_is_filled() -> None:
    found = QueryExpansion(4, 3)(TokenBatch(IDS, MASK))
    assert found.expansion is not None
    np.testing.assert_array_equal(found.input_ids, [[7, 8, 3, 3, 0], [7, 8, 9, 9, 9], [7, 3, 3, 3, 0]])
    np.testing.assert_array_equal(found.attention_mask, MASK)
    np.testing.assert_array_equal(found.expansion.sum(axis=1), [2, 0, 3])
    assert set(found.features()) == {"input_ids", "attention_mask", "query_expansion_positions"}


def test_a_filling_that_is_attended_to_counts_as_text() -> None:
    found = QueryExpansion(4, 3, attend=True)(TokenBatch(IDS, MASK))
    np.testing.assert_array_equal(found.attention_mask, [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0]])


def test_the_batch_that_was_given_does_not_change() -> None:
    batch = TokenBatch(IDS.copy(), MASK.copy())
    QueryExpansion(5, 3, attend=True)(batch)
    np.testing.assert_array_equal(batch.input_ids, IDS)
    np.testing.assert_array_equal(batch.attention_mask, MASK)
    assert batch.expansion is None
