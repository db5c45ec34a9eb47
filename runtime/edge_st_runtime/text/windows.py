"""Divide any number of texts into windows, so that their tokens are never all in memory."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from .tokens import TextOrPair

Text = TypeVar("Text", bound=TextOrPair)
_FIRST_WINDOW_TEXTS, _WINDOW_TEXTS, _WINDOW_CHARACTERS = 32, 8192, 100_000


def windows(texts: Iterable[Text], *, growing: bool = False, short: bool = False) -> Iterator[list[Text]]:
    """Consecutive texts in lists that are small enough to hold all their tokens at once.

    With ``growing``, the first windows are short, so that the first results come soon; with ``short`` all are.
    """
    window: list[Text] = []
    characters, most = 0, _FIRST_WINDOW_TEXTS if growing or short else _WINDOW_TEXTS
    for text in texts:
        window.append(text)
        characters += len(text) if isinstance(text, str) else len(text[0]) + len(text[1])
        if len(window) == most or characters >= _WINDOW_CHARACTERS:
            yield window
            window, characters, most = [], 0, most if short else min(2 * most, _WINDOW_TEXTS)
    if window:
        yield window
