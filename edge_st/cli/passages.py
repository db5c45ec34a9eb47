"""Split a text or Markdown file into passages short enough for one embedding each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_WORDS = 200
ENOUGH_WORDS = 100
CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
WORD = re.compile(rf"[{CJK}]|[^\s{CJK}]+")
SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])")
HEADING = re.compile(r"#{1,6}\s+\S")
FENCE = re.compile(r"\s*(```|~~~)")


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a file; ``line`` is the number of its first line, from 1."""

    line: int
    text: str


def split_passages(text: str) -> list[Passage]:
    """Split ``text`` into passages of about 100 to 200 words, in order.

    Neighbouring paragraphs are joined until there are enough words. A Markdown heading begins a new passage. A
    paragraph of more than 200 words is cut between sentences, and a sentence of more than 200 words between words.
    """
    passages: list[Passage] = []
    open_parts: list[Passage] = []
    for part in _parts(text):
        words = sum(map(_words, open_parts))
        if open_parts and (HEADING.match(part.text) or words >= ENOUGH_WORDS or words + _words(part) > MAX_WORDS):
            passages.append(_join(open_parts))
            open_parts = []
        open_parts.append(part)
    return [*passages, _join(open_parts)] if open_parts else passages


def _parts(text: str) -> Iterator[Passage]:
    for paragraph in _paragraphs(text):
        if _words(paragraph) <= MAX_WORDS:
            yield paragraph
        else:
            yield from _cut(paragraph)


def _paragraphs(text: str) -> Iterator[Passage]:
    """Paragraphs: runs of lines between blank lines. A heading is a paragraph; fenced code stays in one."""
    start, lines, fenced = 1, list[str](), False
    for number, line in enumerate(text.split("\n"), 1):
        heading = not fenced and HEADING.match(line) is not None
        if lines and (heading or not (fenced or line.strip())):
            yield Passage(start, "\n".join(lines))
            lines = []
        if line.strip() or lines:
            start = start if lines else number
            lines.append(line.rstrip())
            fenced ^= FENCE.match(line) is not None
        if heading:
            yield Passage(number, line.rstrip())
            lines = []
    if lines:
        yield Passage(start, "\n".join(lines))


def _cut(paragraph: Passage) -> Iterator[Passage]:
    """Pieces of at most MAX_WORDS words, which end where a sentence ends if they can."""
    begin = end = count = 0
    for stop in _stops(paragraph.text):
        words = len(WORD.findall(paragraph.text, end, stop))
        if count and count + words > MAX_WORDS:
            yield _piece(paragraph, begin, end)
            begin, count = end, 0
        end, count = stop, count + words
    yield _piece(paragraph, begin, len(paragraph.text))


def _stops(text: str) -> Iterator[int]:
    """Where a piece may end: after each sentence, and inside one after every MAX_WORDS words."""
    begin = 0
    for end in [*(match.end() for match in SENTENCE_END.finditer(text)), len(text)]:
        for index, word in enumerate(WORD.finditer(text, begin, end), 1):
            if index % MAX_WORDS == 0 and word.end() < end:
                yield word.end()
        if end > begin:
            yield end
        begin = end


def _piece(paragraph: Passage, begin: int, end: int) -> Passage:
    piece = paragraph.text[begin:end]
    begin += len(piece) - len(piece.lstrip())
    return Passage(paragraph.line + paragraph.text.count("\n", 0, begin), piece.strip())


def _join(parts: list[Passage]) -> Passage:
    return Passage(parts[0].line, "\n\n".join(part.text for part in parts))


def _words(passage: Passage) -> int:
    return len(WORD.findall(passage.text))
