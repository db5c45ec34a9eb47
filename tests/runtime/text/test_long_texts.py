"""A long text is tokenized in part, with the tokens that a limit leaves of the whole."""

from pathlib import Path

import pytest

from edge_st_runtime.text import long_texts
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.long_texts import COUNT, LIMIT, MAKERS, TEXTS, shorter_texts_are_long, wrongly_tokenized
from tests.support.tiny_tokenizers import save_tokenizer


@pytest.fixture(autouse=True)
def _shorter_texts_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    shorter_texts_are_long(monkeypatch)


def _tokenizer(maker: str, side: str, folder: Path) -> TextTokenizer:
    return TextTokenizer(save_tokenizer(folder, MAKERS[maker](), truncation_side=side))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("maker", MAKERS)
def test_tokens_of_a_part_are_those_of_the_whole(maker: str, side: str, tmp_path: Path) -> None:
    assert wrongly_tokenized(_tokenizer(maker, side, tmp_path)) == []


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("maker", ["wordpiece", "byte_bpe", "unigram"])
def test_pairs(maker: str, side: str, tmp_path: Path) -> None:
    tokenizer = _tokenizer(maker, side, tmp_path)
    words, others = TEXTS["words"], TEXTS["lines"] * 2
    pairs = [("the quick", words), (words, "fox"), (words, others), (others, words), ("fox " * 300, words), ("", words)]
    for limit in (LIMIT, LIMIT + 1):
        for pair, ids in zip(pairs, tokenizer(pairs, limit).ids, strict=True):
            first, second = tokenizer._encode(pair, special_tokens=False)
            assert ids.tolist() == tokenizer._join(first, second, limit).ids.tolist()


def test_only_a_part_is_tokenized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, sizes = _tokenizer("wordpiece", "right", tmp_path), []
    encode = tokenizer._shortener._encode
    monkeypatch.setattr(tokenizer._shortener, "_encode", lambda texts: sizes.extend(map(len, texts)) or encode(texts))
    for text in TEXTS.values():
        tokenizer([text * 40], LIMIT)
    assert max(sizes) <= 2**18 < 40 * COUNT


def test_a_text_that_gives_nothing_settles_for_its_first_million_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_texts, "_MOST", 2**13)
    tokenizer = _tokenizer("whole_words", "right", tmp_path)
    sparse = ("fox" + " " * 700) * 200
    assert 0 < len(tokenizer([sparse], 100).ids[0]) < len(tokenizer([sparse], None).ids[0])
