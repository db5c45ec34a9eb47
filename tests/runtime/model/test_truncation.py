"""Truncation equal to that of ``tokenizers`` itself, over hundreds of random texts and pairs."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from edge_st_runtime.text.pairs import longest_first
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.tiny_tokenizers import NASTY, byte_bpe, closing_bpe, random_texts, save_tokenizer, wordpiece

KINDS = {"wordpiece": wordpiece, "byte_bpe": byte_bpe, "closing_bpe": closing_bpe}


@pytest.mark.parametrize(("limit", "words"), [(7, 6), (12, 9), (31, 40)])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())
def test_as_tokenizers_itself(make: Callable[[], Tokenizer], side: str, limit: int, words: int, tmp_path: Path) -> None:
    texts = [*NASTY, *random_texts(200, words)]
    inputs = [*texts, *zip(texts, random.Random(1).sample(texts, len(texts)), strict=True)]
    found = TextTokenizer(save_tokenizer(tmp_path, make(), truncation_side=side))(inputs, limit)
    reference = make()
    reference.enable_truncation(limit, strategy="longest_first", direction=side)
    expected = reference.encode_batch(inputs)
    assert [ids.tolist() for ids in found.ids] == [encoding.ids for encoding in expected]
    assert found.type_ids is not None
    assert [ids.tolist() for ids in found.type_ids] == [encoding.type_ids for encoding in expected]
    assert sum(count > limit for count in found.counts) > 100


def test_long_pairs_take_time_by_their_length(tmp_path: Path) -> None:
    """tokenizers' own truncation also builds every combination of the overflowing parts: seconds and gigabytes here."""
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()))
    start = time.process_time()
    (ids,) = tokenizer([("fox " * 5000, "dog " * 5000)], 32).ids
    assert time.process_time() - start < 2
    assert len(ids) == 32


def test_smallest_limit_keeps_one_token(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()))
    cls, fox, sep = wordpiece().encode("fox").ids
    assert tokenizer(["fox dog", ("fox", "dog")], 3).ids[0].tolist() == [cls, fox, sep]


@pytest.mark.parametrize("room", range(12))
def test_longest_first_takes_from_the_longer_text(room: int) -> None:
    for first in range(8):
        for second in range(8):
            left = longest_first(first, second, room)
            assert sum(left) == min(room, first + second)
            assert left[0] <= first
            assert left[1] <= second
            shorter, longer = (0, 1) if first <= second else (1, 0)
            if left[shorter] < (first, second)[shorter]:
                assert abs(left[0] - left[1]) <= 1
            assert left[longer] >= left[shorter] or left == (first, second)
