"""Which tokens are scored, by task, by skip list and by the tokens to keep."""

import logging
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import UnsupportedModelError
from edge_st_runtime.modules.token_mask import MultiVectorMask

VOCABULARY = {".": 5, "!": 6}
FEATURES: dict[str, Any] = {
    "input_ids": np.array([[1, 5, 2, 9], [1, 6, 5, 0]]),
    "attention_mask": np.array([[1, 1, 1, 0], [1, 1, 1, 0]]),
    "query_expansion_positions": np.array([[False, False, False, True], [False, False, False, False]]),
}
ALL, REAL = [[1, 1, 1, 1], [1, 1, 1, 0]], [[1, 1, 1, 0], [1, 1, 1, 0]]
NO_MARKS = [[1, 0, 1, 0], [1, 0, 0, 0]]


def scored(mask: MultiVectorMask, task: str | None) -> Any:
    found = mask.resolved(VOCABULARY.get)({**FEATURES, "task": task})["attention_mask"]
    assert found.dtype == bool
    return found.astype(int).tolist()


@pytest.mark.parametrize(
    ("options", "by_task"),
    [
        ({}, {"query": ALL, "document": REAL, None: REAL}),
        ({"skiplist_words": (".", "!")}, {"query": ALL, "document": NO_MARKS, None: NO_MARKS, "other": REAL}),
        (
            {"skiplist_words": (".", "!"), "skiplist_tasks": ("query",)},
            {"query": [[1, 0, 1, 1], [1, 0, 0, 0]], "document": REAL, None: REAL},
        ),
        ({"skiplist_words": (".",), "skiplist_tasks": ()}, {"query": ALL, "document": REAL}),
        (
            {"keep_only_token_ids": (1, 5)},
            {"query": ALL, "document": [[1, 1, 0, 0], [1, 0, 1, 0]], "other": [[1, 1, 0, 0], [1, 0, 1, 0]]},
        ),
        ({"keep_only_token_ids": ()}, {"document": REAL}),
        ({"keep_only_token_ids": (5,), "skiplist_words": (".",)}, {"document": [[0, 0, 0, 0], [0, 0, 0, 0]]}),
    ],
    ids=str,
)
def test_scored_tokens(options: dict[str, Any], by_task: dict[str | None, Any]) -> None:
    for task, expected in by_task.items():
        assert scored(MultiVectorMask(**options), task) == expected, task


def test_words_that_the_tokenizer_does_not_know_are_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = MultiVectorMask(("!", "§§")).resolved(VOCABULARY.get)
    assert found.skipped_ids == (6,)
    assert "['§§'] are not single vocab tokens" in caplog.text


def test_a_mask_without_token_embeddings() -> None:
    with pytest.raises(UnsupportedModelError, match="MultiVectorMask reads 'token_embeddings'"):
        MultiVectorMask().widths({"sentence_embedding": 4})
