"""Long texts of every kind, and whether a tokenizer shortens them without changing their tokens."""

import random

import pytest

from edge_st_runtime.text import long_texts
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.tiny_tokenizers import WORDS

LIMIT, COUNT = 64, 9_001
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
