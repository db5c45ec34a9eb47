"""A long text is tokenized in part, with the tokens that a limit leaves of the whole."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

import edge_st
from edge_st_runtime.text import long_texts
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.long_texts import COUNT, LIMIT, TEXTS, shorter_texts_are_long, wrongly_tokenized
from tests.support.readme import PACKAGED
from tests.support.tiny_tokenizers import (
    WORDS,
    byte_bpe,
    clip_bpe,
    closing_bpe,
    save_tokenizer,
    unigram,
    wordpiece,
)


def whole_words() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, **{word: i for i, word in enumerate(WORDS, 1)}}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def without_words() -> Tokenizer:
    """As Gemma's: BPE of a text that is not divided into words."""
    letters = sorted({letter for word in WORDS for letter in word} | {"▁", "<unk>"})
    merges = [("t", "h"), ("th", "e"), ("▁", "the"), ("o", "x"), ("f", "ox"), ("▁", "▁"), ("x", "x"), ("xx", "xx")]
    vocabulary = [*letters, *("".join(pair) for pair in merges)]
    model = models.BPE({token: i for i, token in enumerate(vocabulary)}, merges, unk_token="<unk>", fuse_unk=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return tokenizer


def numbers_by_three() -> Tokenizer:
    """As Qwen's and Llama 3's: byte-level BPE after a split by a pattern."""
    tokenizer = byte_bpe()
    pattern = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(pattern, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    return tokenizer


def with_added_tokens() -> Tokenizer:
    tokenizer = wordpiece()
    tokenizer.add_tokens(["the quick", AddedToken(" fox ", normalized=True), AddedToken("dog", lstrip=True)])
    return tokenizer


def real() -> Tokenizer:
    return Tokenizer.from_file(str(PACKAGED / "tokenizer.json"))


def bundled() -> Tokenizer:
    return Tokenizer.from_file(str(Path(edge_st.__file__).parent / "bundled/static-all-MiniLM-L6-v2/tokenizer.json"))


MAKERS: Mapping[str, Callable[[], Tokenizer]] = {
    maker.__name__: maker
    for maker in (
        *(wordpiece, byte_bpe, closing_bpe, unigram, clip_bpe, whole_words, without_words),
        *(numbers_by_three, with_added_tokens, bundled, real),
    )
}


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
