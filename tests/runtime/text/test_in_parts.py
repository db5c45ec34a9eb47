"""All tokens of a long text, found in parts."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from tokenizers import Tokenizer

from edge_st_runtime.text import in_parts
from edge_st_runtime.text.in_parts import ids_in_parts
from tests.support.long_texts import MAKERS, TEXTS
from tests.support.tiny_tokenizers import wordpiece

PART = 2**11


@pytest.fixture(autouse=True)
def _smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_parts, "_PART", PART)


def made(maker: str) -> Tokenizer:
    tokenizer = MAKERS[maker]()
    tokenizer.no_truncation()
    return tokenizer


def found_in_parts(tokenizer: Tokenizer, text: str) -> tuple[list[int], int]:
    """The ids, and the length of the longest part."""
    lengths = [0]

    def encode(texts: Sequence[str]) -> list[Any]:
        lengths.extend(map(len, texts))
        return [tokenizer.encode(text, add_special_tokens=False) for text in texts]

    return ids_in_parts(text, encode).tolist(), max(lengths)


@pytest.mark.parametrize("maker", MAKERS)
def test_tokens_in_parts_are_those_of_the_whole(maker: str) -> None:
    tokenizer = made(maker)
    mixed = list(TEXTS.values())
    random.Random(0).shuffle(mixed)
    for name, text in {**TEXTS, "all": " fox ".join(mixed), "pieces": "".join(text[:700] for text in mixed)}.items():
        assert found_in_parts(tokenizer, text)[0] == tokenizer.encode(text, add_special_tokens=False).ids, name


@pytest.mark.parametrize("maker", ["wordpiece", "byte_bpe", "unigram", "bundled", "real"])
def test_parts_are_small(maker: str) -> None:
    assert found_in_parts(made(maker), TEXTS["words"] * 20)[1] <= 2 * PART


@pytest.mark.parametrize("count", [300, 400, 460])
def test_an_added_token_that_is_longer_than_parts_overlap(count: int) -> None:
    tokenizer = wordpiece()
    added = "fox " * 200 + "dog"
    tokenizer.add_tokens([added])
    text = "the " * count + added + " lazy" * 800
    assert found_in_parts(tokenizer, text)[0] == tokenizer.encode(text, add_special_tokens=False).ids
