"""Texts into the words by which they are found.

Source: Unicode Standard Annexes 15 (normalization) and 29 (word boundaries); bigrams of characters for scripts without
spaces, as in Lucene's CJKBigramFilter.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import TypeAlias

Tokenize: TypeAlias = Callable[[str], list[str]]

_LETTERS = re.compile(r"\b\w\w+\b")
#: characters that change no word: soft hyphen, joiners, variation selectors
_WITHIN_WORDS = "\u00ad\u200c\u200d\u2060\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef"
#: Han and Hangul
_SYLLABLES = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\uac00-\ud7a3"
)
#: these, then jamo, kana, bopomofo, Yi; Thai, Lao, Burmese, Khmer, Tai Le, New Tai Lue, Tai Tham, Javanese, Tai Viet
_LETTERS_WITHOUT_SPACES = (
    f"{_SYLLABLES}\u1100-\u11ff\u3040-\u318f\u31a0-\u31bf\u31f0-\u31ff\ua000-\ua4cf\U0001b000-\U0001b16f"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua980-\ua9ff\uaa60-\uaadf"
)
_IGNORED, _RARE = re.compile(f"[{_WITHIN_WORDS}]"), re.compile(f"[{_WITHIN_WORDS}{_LETTERS_WITHOUT_SPACES}]")
_SYLLABLE, _WITHOUT_SPACES = re.compile(f"[{_SYLLABLES}]"), re.compile(f"[{_LETTERS_WITHOUT_SPACES}]")


def unicode_words(text: str) -> list[str]:
    """The words of two characters and more in ``text``, normalized (NFKC) and case-folded, with their marks.

    Scripts without spaces between words (Chinese, Japanese, Thai, Lao, Burmese, Khmer …) and Korean, whose words have
    endings, give each two neighbouring characters; Han and Hangul characters also count by themselves.
    """
    if text.isascii():
        return letter_words(text)
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = unicodedata.normalize("NFKC", folded)
    if _RARE.search(folded) is None:
        return _word("+").findall(folded)
    return [part for word in _word("*").findall(_IGNORED.sub("", folded)) for part in _parts(word)]


def letter_words(text: str) -> list[str]:
    """The runs of two letters, digits and underscores and more in ``text``, lower-cased. A mark ends a word."""
    return _LETTERS.findall(text.lower())


#: the tokenizers that an index records by name
TOKENIZERS: Mapping[str, Tokenize] = {"unicode": unicode_words, "letters": letter_words}


def _parts(word: str) -> Iterator[str]:
    """The runs of ``word`` in scripts with spaces, and the bigrams of the others."""
    for run in _run().findall(word):
        characters = _character().findall(run) if _WITHOUT_SPACES.match(run) else ()
        if len(characters) > 1:
            yield from map("".join, pairwise(characters))
            yield from filter(_SYLLABLE.match, characters)
        elif characters or len(run) > 1:
            yield run


@cache
def _word(further: str) -> re.Pattern[str]:
    """A letter with its marks, and ``further`` ones."""
    return re.compile(rf"\w[\w{_marks()}]{further}")


@cache
def _run() -> re.Pattern[str]:
    return re.compile(f"[{_LETTERS_WITHOUT_SPACES}{_marks()}]+|[^{_LETTERS_WITHOUT_SPACES}]+")


@cache
def _character() -> re.Pattern[str]:
    return re.compile(f"[^{_marks()}][{_marks()}]*")


@cache
def _marks() -> str:
    """All combining marks but variation selectors, as ranges of a regular expression."""
    marks = [code for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M"]
    starts = [code for before, code in pairwise([0, *marks]) if code != before + 1]
    ends = [code for code, after in pairwise([*marks, 0]) if after != code + 1]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))
