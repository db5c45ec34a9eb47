"""The texts that speed is measured with: short ones, and texts of mixed lengths."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from edge_st_runtime.errors import InputError
from edge_st_runtime.text.tokens import TextOrPair

_SHORT, _MIXED = 192, 96
#: numbers of words of the mixed texts: mostly short, few very long, as in collections of passages
_LENGTHS = (6, 9, 12, 12, 18, 24, 30, 45, 60, 90, 140, 220)
_SENTENCES = (
    "The ferry to the island leaves at seven in the morning and comes back after sunset.",
    "How long does it take for concrete to dry when the weather is cold and damp?",
    "Her grandmother kept the recipe for plum cake in a tin box under the stairs.",
    "A battery loses capacity each time it is charged, most of all when it gets hot.",
    "The committee put off its decision until the new figures were published.",
    "Owls turn their heads so far because their eyes cannot move in their sockets.",
    "Please restart the router, wait for a minute and try to log in once more.",
    "Rain filled the gutters, ran over the pavement and found its way into the cellar.",
    "What is the difference between a fixed and a variable rate of interest?",
    "The violin maker let the spruce dry for eleven years before he carved it.",
    "Ships once carried limes so that their crews would not fall ill with scurvy.",
    "The function returns an empty list where no record matches the filter.",
)


@dataclass(frozen=True)
class SampleTexts:
    """``short`` texts and texts of ``mixed`` lengths, or pairs of such texts; ``single`` is one short text."""

    short: Sequence[TextOrPair]
    mixed: Sequence[TextOrPair]

    @property
    def single(self) -> TextOrPair:
        """The first short text, or pair."""
        return self.short[0]


def sample_texts(texts: Sequence[str] | None, *, pairs: bool) -> SampleTexts:
    """Samples of ``texts``, or the built-in ones for None.

    All given texts are the mixed ones, and the shorter half of them the short ones. With ``pairs`` each text is paired
    with another. Raises InputError for fewer than two texts.
    """
    if texts is None:
        short, mixed = _built_in()
    elif len(texts) < 2:
        raise InputError(
            f"{len(texts)} text(s) to measure with; expected at least 2, better some hundred, one per line"
        )
    else:
        short, mixed = sorted(texts, key=len)[: len(texts) // 2], list(texts)
    return SampleTexts(_paired(short), _paired(mixed)) if pairs else SampleTexts(short, mixed)


@cache
def _built_in() -> tuple[list[str], list[str]]:
    words = " ".join(_SENTENCES).split()
    short = [_cut(words, place, 8 + place % 9) for place in range(_SHORT)]
    return short, [_cut(words, 7 * place, _LENGTHS[place % len(_LENGTHS)]) for place in range(_MIXED)]


def _cut(words: Sequence[str], start: int, length: int) -> str:
    return " ".join(words[(start + place) % len(words)] for place in range(length))


def _paired(texts: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(texts, [*texts[1:], texts[0]], strict=True))
