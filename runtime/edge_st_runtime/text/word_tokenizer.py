"""The tokenizers of models with a vocabulary of whole words.

Source: sentence-transformers' WhitespaceTokenizer and PhraseTokenizer, and the tokenizer of its BoW.
"""

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Ids
from ..errors import InputError, OptionError, PackageMissingError, UnsupportedModelError
from ..files.reading import read_json
from .tokens import CutsOnTheRight, TextOrPair, Tokens, with_prompt

_WHITESPACE, _PHRASE = "WhitespaceTokenizer", "PhraseTokenizer"
_CONFIGS = {_WHITESPACE: "whitespacetokenizer_config.json", _PHRASE: "phrasetokenizer_config.json"}
_WRITTEN = re.compile(r"\S+")
Step = Callable[[str], str]


def _as_it_is(word: str) -> str:
    return word


def _stripped(word: str) -> str:
    return word.strip(string.punctuation)


@dataclass(frozen=True, eq=False)
class WordTokenizer(CutsOnTheRight):
    """A tokenizer of the words of a vocabulary; other words and stop words are left out.

    ``split`` divides a text into words. Each word is looked up as it is, then after each of ``steps`` in turn.
    """

    vocabulary: Mapping[str, int]
    stop_words: frozenset[str]
    split: Callable[[str], Sequence[str]]
    steps: tuple[Step, ...]
    configuration: Mapping[str, Any]
    pad_id: int = 0
    pad_left: bool = False

    @property
    def tokenizer(self) -> "WordTokenizer":
        """Itself."""
        return self

    @property
    def size(self) -> int:
        """The number of words in the vocabulary."""
        return max(self.vocabulary.values(), default=-1) + 1

    def __call__(self, texts: Sequence[TextOrPair], limit: int | None, prompt: str | None = None) -> Tokens:
        """The words of ``texts``, without truncation; raises InputError for a pair of texts."""
        found = [self._words(text, place) for place, text in enumerate(with_prompt(texts, prompt))]
        counts = np.array([len(words) for words in found], dtype=np.int64)
        return Tokens([np.array(words, dtype=np.int32) for words in found], None, counts, limit)

    def starts(self, text: str) -> Ids:
        """The character (n,) int64 at which each word of ``text`` begins that is in the vocabulary."""
        found = [[word.start()] * len(self._words(word[0], 0)) for word in _WRITTEN.finditer(text)]
        return np.array(list(chain.from_iterable(found)), dtype=np.int64)

    def prompt_length(self, prompt: str, limit: int | None) -> int:  # noqa: ARG002
        """0, because sentence-transformers never leaves a prompt's words out of pooling."""
        return 0

    def check_limit(self, limit: int | None, *, pairs: bool = False) -> None:  # noqa: ARG002
        """Raise OptionError for any limit: sentence-transformers applies none to these models."""
        if limit is not None:
            raise OptionError(
                f"max_seq_length is {limit}; word vectors take texts of any length: shorten the texts instead"
            )

    def identity(self) -> Mapping[str, Any]:
        """Its configuration."""
        return self.configuration

    def _words(self, text: TextOrPair, place: int) -> list[int]:
        if not isinstance(text, str):
            raise InputError(f"text {place} is a pair; this model takes single texts")
        return [found for word in self.split(text) if (found := self._lookup(word)) is not None]

    def _lookup(self, word: str) -> int | None:
        for step in (_as_it_is, *self.steps):
            word = step(word)
            if word in self.stop_words:
                return None
            if word in self.vocabulary:
                return self.vocabulary[word]
        return None


def read_bag_tokenizer(folder: Path) -> WordTokenizer:
    """The tokenizer of a BoW in ``folder``; raises MissingFileError and DamagedFileError."""
    vocabulary = list(dict.fromkeys(read_json(folder / "config.json")["vocab"]))
    return _whitespace({"vocab": vocabulary, "stop_words": [], "do_lower_case": False})


def read_word_tokenizer(folder: Path) -> WordTokenizer:
    """The tokenizer of a WordEmbeddings in ``folder``.

    Raises UnsupportedModelError for a tokenizer class that is not known, MissingFileError and DamagedFileError.
    """
    name = str(read_json(folder / "wordembedding_config.json").get("tokenizer_class")).rpartition(".")[2]
    if name not in _CONFIGS:
        raise UnsupportedModelError(f"{folder}: tokenizer class {name!r}; expected one of {', '.join(_CONFIGS)}")
    config = read_json(folder / _CONFIGS[name])
    return _whitespace(config) if name == _WHITESPACE else _phrases(config)


def _whitespace(config: Mapping[str, Any]) -> WordTokenizer:
    lower = bool(config.get("do_lower_case"))
    return _word_tokenizer(config, lambda text: (text.lower() if lower else text).split(), (_stripped, str.lower))


def _phrases(config: Mapping[str, Any]) -> WordTokenizer:
    try:
        from nltk import word_tokenize
    except ImportError as error:
        raise PackageMissingError("this model's PhraseTokenizer needs nltk; pip install 'edge-st[phrases]'") from error
    mark, longest = config.get("ngram_separator", "_"), config.get("max_ngram_length", 5)
    phrases = {word for word in config["vocab"] if mark and mark in word and mark + mark not in word}
    lengths = {word: word.count(mark) + 1 for word in phrases}
    known = {word for word, length in lengths.items() if length <= longest}
    descending = sorted({lengths[word] for word in known}, reverse=True)

    def split(text: str) -> list[str]:
        words = list(word_tokenize(text, preserve_line=True))
        for length in descending:
            place = 0
            while place <= len(words) - length:
                phrase = mark.join(words[place : place + length])
                match = next((form for form in (phrase, phrase.lower()) if form in known), None)
                if match is not None:
                    words[place : place + length] = [match]
                place += 1
        return words

    return _word_tokenizer(config, split, (str.lower, _stripped))


def _word_tokenizer(
    config: Mapping[str, Any], split: Callable[[str], Sequence[str]], steps: tuple[Step, ...]
) -> WordTokenizer:
    vocabulary = {word: place for place, word in enumerate(config["vocab"])}
    stop_words = frozenset(config.get("stop_words") or ())
    identity = {**config, "stop_words": sorted(stop_words), "steps": [step.__name__ for step in steps]}
    return WordTokenizer(vocabulary, stop_words, split, steps, identity)
