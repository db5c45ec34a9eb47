"""Shorten a long text to the characters that decide the tokens a limit leaves of it.

A part of the text is tokenized. Its tokens before a border of words are those of the whole text, if normalizer and
pre-tokenizer look fewer than 256 characters ahead. Where no word ends, as in Chinese for many tokenizers, the part is
cut before each of its last characters, as many as the longest token has. All texts of BPE and Unigram have a border of
tokens at one of these places, and before a border they are tokenized as by themselves: what all the cuts agree on is
right. Of a stretch that gives no tokens or is within a single one, only the ends are kept.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tokens import TextOrPair

#: texts of up to so many characters are tokenized whole
LONG = 2**16
_MARGIN = 256
_CHARACTERS_A_TOKEN = 8
_STRETCH, _CONTEXT, _WINDOW = 512, 2**12, 2**18
_MOST = 2**20
_JOINING = ("BPE", "Unigram")


class Shortener:
    """Shortens texts for one tokenizer; ``left``: a limit leaves the last tokens of a text and not the first ones."""

    def __init__(self, tokenizer: Any, encode: Callable[[Sequence[str]], list[Any]], left: bool) -> None:
        """``encode`` gives the encodings of texts by ``tokenizer``, with offsets and without special tokens."""
        self._tokenizer, self._encode, self._left = tokenizer, encode, left
        self._joins = type(tokenizer.model).__name__ in _JOINING
        self._stretch = max(_STRETCH, 2 * getattr(tokenizer.model, "max_input_chars_per_word", 0))

    def shorten(self, texts: Sequence[TextOrPair], limit: int) -> Sequence[TextOrPair]:
        """Texts and pairs that have the same tokens after truncation to ``limit``.

        Those with more tokens than ``limit`` keep more. Memory is bounded, however long a text is. Not exact are a text
        of which a million characters settle fewer tokens than ``limit``, which is cut there, and a pair of two texts
        of more than 262,144 characters each, where the shorter one may keep a token more.
        """
        if not any(map(is_long, texts)):
            return texts
        return [
            text if not is_long(text) else self._text(text, limit) if isinstance(text, str) else self._pair(text, limit)
            for text in texts
        ]

    def _pair(self, pair: tuple[str, str], limit: int) -> tuple[str, str]:
        """Both texts shortened. Truncation depends on which one has more tokens, so the longer keeps more of them."""
        shorter, longer = sorted(pair, key=len)
        if len(shorter) > _WINDOW:
            shorter = self._text(shorter, limit)
        count = len(self._encode([shorter])[0])
        longer = self._text(longer, max(limit, count)) if len(longer) > LONG else longer
        return (shorter, longer) if len(pair[0]) <= len(pair[1]) else (longer, shorter)

    def _text(self, text: str, limit: int) -> str:
        """``text`` or a shorter one that begins (ends, on the left) with more than ``limit`` of the same tokens."""
        need, kept, place = limit + 1, "", 0
        size = max(4 * self._stretch, 2 * _MARGIN, _CHARACTERS_A_TOKEN * need)
        while place + size < len(text) and size <= max(_MOST, 2 * _CHARACTERS_A_TOKEN * need):
            part = self._join(kept, self._slice(text, place, place + size))
            words, ends = self._tokens(part)
            if self._settles(part, need, words, ends):
                return part
            idle = self._idle_from(ends, len(part))
            going_on = None if idle is None else self._skipped(text, part, idle, place + size)
            if idle is None or going_on is None:
                size *= 2
            else:
                kept, place = self._slice(part, 0, idle + self._stretch), going_on
        return self._join(kept, self._slice(text, place, place + size))

    def _settles(self, part: str, need: int, words: NDArray[Any], ends: NDArray[np.int64]) -> bool:
        """Whether the first ``need`` tokens of ``part`` are those of every text that begins with it."""
        if len(words) < need:
            return False
        margin = max(_MARGIN, self._longest)
        borders = np.flatnonzero((words[:-1] != words[1:]) & (ends[:-1] <= len(part) - margin))
        at_word = len(borders) > 0 and int(borders[-1]) + 1 >= need
        if at_word and not self._left:
            return True
        return (at_word or self._joins) and self._cuts_agree(part, need)

    def _cuts_agree(self, part: str, need: int) -> bool:
        """Whether ``part`` has the same first ``need`` tokens, cut before any of its last characters."""
        expected = None
        for missing in range(self._longest):
            ids = self._encode([self._slice(part, 0, len(part) - missing)])[0].ids
            found = ids[-need:] if self._left else ids[:need]
            if len(found) < need or (expected is not None and found != expected):
                return False
            expected = found
        return True

    def _idle_from(self, ends: NDArray[np.int64], length: int) -> int | None:
        """Where the last stretch begins that holds no end of a token but in its last part; None if it is short."""
        last = int(ends[ends <= length - self._stretch].max(initial=0))
        return last if length - last > 2 * self._stretch else None

    def _skipped(self, text: str, part: str, idle: int, place: int) -> int | None:
        """Where ``text`` goes on, after the beginning of the idle stretch of ``part``, with the tokens of all of it.

        The part ends at ``place``; the stretch does, or beyond it where no other token follows. None if the inner part
        of the stretch decides tokens.
        """
        before, size = max(0, idle - _CONTEXT), _WINDOW
        beginning = self._slice(part, before, idle + self._stretch)

        def ids(start: int, stop: int) -> Any:
            return self._encode([self._join(beginning, self._slice(text, start, stop))])[0].ids

        expected = self._encode([self._slice(part, before, len(part))])[0].ids
        if ids(place - self._stretch, place) != expected:
            return None
        while place < len(text) and size > 2 * self._stretch:
            end = min(place + size, len(text))
            if ids(place - self._stretch, end) == ids(end - self._stretch, end) == expected:
                place = end
            else:
                size //= 4
        return place - self._stretch

    def _tokens(self, text: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """For each token its word, and the character where it ends; on the left all is counted from the right."""
        encoding = self._encode([text])[0]
        words = np.array(encoding.word_ids, dtype=object)
        offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        if self._left:
            words, offsets = words[::-1], len(text) - offsets[::-1, ::-1]
        return words, np.maximum.accumulate(offsets[:, 1])

    def _slice(self, text: str, start: int, stop: int) -> str:
        """The characters ``start`` to ``stop``; counted from the right on the left."""
        return text[max(0, len(text) - stop) : len(text) - start] if self._left else text[start:stop]

    def _join(self, first: str, second: str) -> str:
        return second + first if self._left else first + second

    @cached_property
    def _longest(self) -> int:
        """The number of characters of the longest token."""
        return max(map(len, self._tokenizer.get_vocab()), default=1)


def is_long(text: TextOrPair) -> bool:
    """Whether ``text`` is shortened: then its tokens beyond a limit are not all counted."""
    return len(text) > LONG if isinstance(text, str) else len(text[0]) > LONG or len(text[1]) > LONG
