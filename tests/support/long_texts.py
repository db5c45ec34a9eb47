"""Long texts and tokenizers of every kind, and whether one shortens the texts without changing their tokens."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

import edge_st
from edge_st_runtime.text import long_texts
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.readme import PACKAGED
from tests.support.tiny_tokenizers import WORDS, byte_bpe, clip_bpe, closing_bpe, unigram, wordpiece

LIMIT, COUNT = 64, 9_001


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
_RANDOM = random.Random(0)


def _of(characters: str) -> str:
    return "".join(_RANDOM.choices(characters, k=COUNT))


TEXTS = {
    "words": " ".join(_RANDOM.choices(WORDS, k=COUNT // 3)),
    "lines": "\n\n".join(_RANDOM.choices(WORDS, k=COUNT // 3)),
    "one letter": "the " + "x" * COUNT + " fox",
    "letters": _of("thequickbrownfx"),
    "digits": _of("0123456789"),
    "spaces": "the" + " " * COUNT + "quick fox",
    "newlines": "\n" * COUNT + "fox",
    "white space": _of(" \n\t\u3000") + "the fox",
    "marks": "e" + "\u0301" * COUNT + " fox",
    "marks of two classes": "e" + "\u0301\u0323" * (COUNT // 2) + " fox",
    "one emoji": "😀" * COUNT,
    "joined emoji": "👩‍👩‍👧‍👦" * (COUNT // 7) + " fox",
    "Japanese": _of("日本語のテキスト漢字"),
    "Korean letters": "".join(map(chr, _RANDOM.choices(range(0x1100, 0x1200), k=COUNT))),
    "ligatures": "ﬁﷺ" * (COUNT // 2),
    "all characters": "".join(map(chr, _RANDOM.choices([*range(0xD800), *range(0xE000, 0x11000)], k=COUNT))),
    "gaps and long words": (" " * 3000 + "fox " + "y" * 2100 + " ") * 3,
    "words apart": "the" + "\u0301" * (COUNT // 2) + " " * 1100 + "x" * 1100 + " fox",
    "removed characters": "the" + "\0" * COUNT + "quick",
}


def shorter_texts_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten texts of more than 4096 characters."""
    monkeypatch.setattr(long_texts, "LONG", 2**12)
    monkeypatch.setattr(long_texts, "_WINDOW", 2**12)


def wrongly_tokenized(tokenizer: TextTokenizer) -> list[str]:
    """The names of the texts that do not get the tokens that a limit leaves of the whole text."""
    found = tokenizer(list(TEXTS.values()), LIMIT)
    wrong = []
    for name, ids, count, text in zip(TEXTS, found.ids, found.counts, TEXTS.values(), strict=True):
        encoding = tokenizer.tokenizer.encode(text)
        same = ids.tolist() == tokenizer._cut(encoding, LIMIT).ids.tolist()
        if not same or (count > LIMIT) != (len(encoding) > LIMIT):
            wrong.append(name)
    return wrong
