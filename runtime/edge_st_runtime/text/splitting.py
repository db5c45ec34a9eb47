"""Split long texts into chunks that a model takes whole: between words, and at the end of a sentence if possible."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Ids
from ..errors import OptionError
from .long_texts import LONG
from .tokens import Tokenizer
from .windows import windows

_WORD, _SENTENCE, _PARAGRAPH = 1, 2, 3
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_GAP = re.compile(rf"\s+|(?<=[{_CJK}、，。！？」』）])(?=\w)|(?<=\w)(?=[{_CJK}])")
_SENTENCE_END = re.compile(r"(?:[.!?…؟۔।][\"'”’»)\]]*|[。！？][」』）]*)\Z")
_NOT_SPACE = re.compile(r"\S")
_TAIL = 8
_LAST_PART = 2 / 3
_CHARACTERS_A_TOKEN, _MORE = 6, 1.1
_SURELY_LONG = 32
_JOINER, _SKIN_TONES = "\u200d", "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


@dataclass(frozen=True, slots=True)
class Chunk:
    """``text``, and the characters ``start`` to ``end`` where it stands in the text that was split."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, eq=False, slots=True)
class Splitter:
    """Splits texts into chunks of at most ``max_tokens`` tokens, including special tokens and those of ``prompt``.

    A chunk begins about ``overlap`` tokens before the end of the chunk before it. Raises OptionError where that leaves
    no room for a text.
    """

    tokenizer: Tokenizer
    prompt: str | None
    max_tokens: int
    overlap: int

    def __post_init__(self) -> None:
        if self.room < 1:
            own = self.max_tokens - self.room
            raise OptionError(
                f"max_tokens is {self.max_tokens}; expected more than the {own} tokens that are added to every text"
            )
        if self.overlap >= self.room:
            raise OptionError(
                f"overlap is {self.overlap}; expected less than the {self.room} tokens of text in a chunk"
            )

    @property
    def room(self) -> int:
        """The number of tokens that a chunk has room for, apart from special tokens and the prompt."""
        return self.max_tokens - self.count("")

    def count(self, text: str) -> int:
        """The number of tokens of ``text`` with special tokens and the prompt."""
        return int(self.tokenizer([text], None, self.prompt).counts[0])

    def split(self, texts: Sequence[str]) -> list[list[Chunk]]:
        """The chunks of each text, in order. They hold the whole text but white space between them.

        A blank text has no chunks. A chunk ends between words: at the end of a paragraph or else of a sentence, if one
        ends in its last third. A word that is longer than a chunk is cut. Where tokens are few for the characters,
        as in a word of megabytes, a chunk has at most 65,536 characters, or 32 a token, and shares none with the next.
        Raises OptionError where there is no room for a single character.
        """
        room, found = self.room, list[list[Chunk]]()
        for window in windows(texts):
            for text, fits in zip(window, self._fits(window), strict=True):
                found.append(_whole(text) if fits else list(_Cut(self, text, room).chunks()))
        return found

    def _fits(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether it fits into one chunk. The tokens of a very long text are not counted."""
        short = [text.strip() for text in texts if len(text) <= _SURELY_LONG * self.max_tokens]
        counts = iter(self.tokenizer(short, None, self.prompt).counts.tolist())
        return [len(text) <= _SURELY_LONG * self.max_tokens and next(counts) <= self.max_tokens for text in texts]


class _Cut:
    """One text that is split, from its beginning to its end."""

    def __init__(self, splitter: Splitter, text: str, room: int) -> None:
        self._splitter, self._text, self._room = splitter, text, room
        self._length = len(text.rstrip())
        self._size, self._most = _CHARACTERS_A_TOKEN * room, max(LONG, _SURELY_LONG * room)

    def chunks(self) -> Iterator[Chunk]:
        start, end = self._word_from(0), 0
        while start < self._length:
            window = self._window(start)
            found = self._end(window, end)
            if found is None and start < end:  # no room for another word after the overlap
                start = self._word_from(end)
                window = self._window(start)
                found = self._end(window, end)
            end = self._end_within(window) if found is None else found
            yield Chunk(start, end, self._text[start:end])
            start = self._word_from(end)
            if start < self._length and self._splitter.overlap:
                start = self._before(window, end, start)

    def _word_from(self, place: int) -> int:
        found = _NOT_SPACE.search(self._text, place)
        return found.start() if found else self._length

    def _window(self, start: int) -> "_Window":
        """The text from ``start`` on, far enough to have more tokens than there is room for, or to its end.

        It has no more characters than a chunk may have.
        """
        while True:
            size = min(self._size, self._most)
            stop = min(start + size, self._length)
            starts = self._splitter.tokenizer.starts(self._text[start:stop])
            fits = len(starts) <= self._room
            if not fits or stop == self._length or size == self._most:
                window = _Window(self._text, start, stop, starts, fits and stop < self._length)
                self._size = int(_MORE * (window.place(self._room) - start)) + 1
                return window
            self._size *= 2

    def _end(self, window: "_Window", after: int) -> int | None:
        """The best place beyond ``after`` to end a chunk between words; None if there is none."""
        room = self._room
        while (end := window.end(after, room)) is not None:
            excess = self._excess(window.start, end)
            if excess <= 0:
                return end
            room = min(room, window.tokens(end)) - excess
        return None

    def _end_within(self, window: "_Window") -> int:
        """The last place at which the word that the window begins with can be cut."""
        room, end = self._room, window.start
        while room > 0 and (end := self._between_characters(window.start, window.place(room))) > window.start:
            excess = self._excess(window.start, end)
            if excess <= 0:
                return end
            room = min(room, window.tokens(end)) - excess
        if self._excess(window.start, window.start + 1) > 0:
            raise OptionError(
                f"max_tokens is {self._splitter.max_tokens}; expected more, because the single character "
                f"{self._text[window.start]!r} has more tokens"
            )
        return window.start + 1

    def _excess(self, start: int, end: int) -> int:
        """How many tokens the text from ``start`` to ``end`` has above ``max_tokens``, as a chunk by itself."""
        return self._splitter.count(self._text[start:end]) - self._splitter.max_tokens

    def _between_characters(self, start: int, place: int) -> int:
        """``place``, or a place before it that does not divide a character from its marks, joiners and skin tones."""
        found = place
        while start < found < self._length and _belongs_together(self._text[found - 1], self._text[found]):
            found -= 1
        return found if found > start else place

    def _before(self, window: "_Window", end: int, following: int) -> int:
        """The beginning of the first word that is at most the overlap before ``end``; else ``following``."""
        if window.is_cut:
            return following
        shared = window.place(max(0, window.tokens(end) - self._splitter.overlap))
        first = max(shared, window.start + 1)
        for gap in window.gaps(first - 1, self._room):
            if gap.start() < end and (start := self._word_from(gap.start())) >= first:
                return min(start, following)
        within_a_word = following == end and not _GAP.match(self._text, end)
        return self._between_characters(window.start, first) if within_a_word else following


@dataclass(frozen=True, eq=False)
class _Window:
    """Characters ``start`` to ``stop`` of ``text``; ``starts`` (n,) are the places in them where the tokens begin.

    ``is_cut``: the text goes on, though there is room for all these tokens.
    """

    text: str
    start: int
    stop: int
    starts: Ids
    is_cut: bool

    def place(self, tokens: int) -> int:
        """The last place before which at most ``tokens`` tokens begin."""
        return self.start + int(self.starts[tokens]) if tokens < len(self.starts) else self.stop

    def tokens(self, place: int) -> int:
        """How many tokens begin before ``place``."""
        return int(np.searchsorted(self.starts, place - self.start, side="left"))

    def end(self, after: int, room: int) -> int | None:
        """The best end beyond ``after`` for a chunk of at most ``room`` tokens; None if there is none."""
        if room < 1:
            return None
        if len(self.starts) <= room and not self.is_cut:
            return self.stop
        late, best = self.place(int(_LAST_PART * room)), (0, 0)
        first = max(self.start, after)
        for gap in self.gaps(first, room):
            if gap.start() > first:
                best = max(best, (self._kind(gap) if gap.start() >= late else _WORD, gap.start()))
        return best[1] or None

    def gaps(self, first: int, room: int) -> Iterator["re.Match[str]"]:
        """The gaps after words, from character ``first`` on, within ``room`` tokens."""
        last = self.place(room)
        return (gap for gap in _GAP.finditer(self.text, first, last + _TAIL) if gap.start() <= last)

    def _kind(self, gap: "re.Match[str]") -> int:
        if gap[0].count("\n") > 1:
            return _PARAGRAPH
        before = self.text[max(self.start, gap.start() - _TAIL) : gap.start()]
        return _SENTENCE if _SENTENCE_END.search(before) else _WORD


def _whole(text: str) -> list[Chunk]:
    """The text as one chunk; none if it is blank."""
    start = len(text) - len(text.lstrip())
    return [Chunk(start, len(text.rstrip()), text.strip())] if text.strip() else []


def _belongs_together(before: str, character: str) -> bool:
    return (
        before == _JOINER
        or character == _JOINER
        or character in _SKIN_TONES
        or bool(unicodedata.category(character).startswith("M"))
    )
