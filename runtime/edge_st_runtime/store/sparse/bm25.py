"""BM25: search by the words of a text, without a model.

Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), with Lucene's formula.
"""

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ids
from ...checks import check_ordered, described
from ...errors import DamagedFileError, InputTypeError, OptionError
from ...files.fields import Fields
from ...unicode import check_unicode
from .postings import Postings, sort_postings
from .ranking import best_of_each
from .segments import Segmented, Segments
from .words import TOKENIZERS, Tokenize

_KIND = "BM25"
_DEFAULT, _BEFORE_NAMES = "unicode", "letters"


class BM25(Segmented):
    """A BM25 index of texts. It is in memory; one that was opened from a folder stays in that folder.

    Args:
        tokenizer: Splits a text into words. "unicode", which None stands for, serves every script: `unicode_words`.
            "letters" gives runs of letters and digits: `letter_words`. `save` stores these names, but no function.
        k1: How much a word counts that occurs several times in a text; 0: as much as once.
        b: How much the scores of long texts are reduced, from 0 (not at all) to 1.

    A text is identified by its position, in the order of adding. Several threads may search at once, but not while
    texts are added. Raises OptionError for ``k1`` below 0, and for ``b`` outside 0 to 1.
    """

    def __init__(self, tokenizer: Tokenize | str | None = None, k1: float = 1.5, b: float = 0.75) -> None:
        name = _DEFAULT if tokenizer is None else tokenizer
        if not callable(name) and (not isinstance(name, str) or name not in TOKENIZERS):
            names = ", ".join(map(repr, TOKENIZERS))
            raise OptionError(
                f"tokenizer is {tokenizer!r}; expected {names}, or a function that returns the words of a text"
            )
        if not isinstance(k1, int | float) or not 0 <= k1 < math.inf:
            raise OptionError(f"k1 is {k1}; expected at least 0, such as 1.5")
        if not isinstance(b, int | float) or not 0 <= b <= 1:
            raise OptionError(f"b is {b}; expected 0 to 1, such as 0.75")
        self.k1, self.b = k1, b
        self._tokenize = name if callable(name) else TOKENIZERS[name]
        self._set_segments(Segments(_KIND, {"k1": k1, "b": b, "tokenizer": None if callable(name) else name}))

    @classmethod
    def open(cls, path: str | Path, tokenizer: Tokenize | str | None = None) -> "BM25":
        """The index in folder ``path``, memory-mapped. Texts that are added are written to the folder.

        A function as ``tokenizer`` is not saved: pass the one that the index was created with. Raises OptionError
        where it is missing, or where the index was created with another one. Raises FolderError for a folder without an
        index, DamagedFileError or MissingFileError for a damaged index.
        """
        segments = Segments.open(path, _KIND)
        settings = segments.fields
        recorded = _recorded_tokenizer(settings)
        index = cls(recorded, settings.number("k1", 0), settings.number("b", 0, 1))
        index._tokenize = _agreed_tokenizer(path, recorded, tokenizer)
        if [part.terms for part in segments.parts] != list(accumulate(len(part.words) for part in segments.parts)):
            raise DamagedFileError(f"{path} has segments with different vocabularies; build the index again")
        index._set_segments(segments)
        return index

    def add(self, texts: Sequence[str]) -> None:
        """Add texts. In a folder they are written as one new segment, atomically.

        Raises InputTypeError for anything but texts in an order, InputError for a lone surrogate, FolderError where
        the folder cannot be written.
        """
        check_ordered("texts", texts, "expected a list of str: [text]")
        vocabulary: defaultdict[str, int] = defaultdict(None, self._vocabulary)
        vocabulary.default_factory = vocabulary.__len__
        terms, lengths = array("i"), []
        for place, text in enumerate(texts):
            before = len(terms)
            terms.extend(map(vocabulary.__getitem__, self._words(text, f"texts[{place}]")))
            lengths.append(len(terms) - before)
        if lengths:
            new = tuple(islice(vocabulary, len(self._vocabulary), None))
            if not all(isinstance(word, str) for word in new):
                raise InputTypeError("the tokenizer gave words that are not str; expected list[str]")
            self._segments.append(_count(np.frombuffer(terms, dtype=np.intc), np.array(lengths), len(vocabulary), new))
            self._set_segments(self._segments)

    def search(self, queries: str | Sequence[str], top_k: int = 10) -> tuple[Floats, Ids]:
        """Scores (queries, k) float32 and positions (queries, k) int64 of each query's best texts, best first.

        k is ``top_k``, or the number of texts if that is less. Texts with equal scores are in order of position. A text
        without any word of the query has score 0. Raises OptionError for ``top_k`` below 1, InputTypeError for anything
        but texts.
        """
        if isinstance(queries, str):
            queries = [queries]
        check_ordered("queries", queries, "expected a str or a list of them")
        queries = list(queries)
        return best_of_each(map(self.scores, queries), len(queries), len(self), top_k)

    def scores(self, query: str) -> Floats:
        """The score (n,) float32 of every text; a word counts as often as ``query`` has it. Raises InputTypeError."""
        scores = np.zeros(len(self), dtype=np.float32)
        for word, times in Counter(self._words(query, "query")).items():
            term = self._vocabulary.get(word)
            if term is None:
                continue
            posted = [(place, part, part.of(term)) for place, part in self._segments.starts()]
            frequency = sum(entries.stop - entries.start for _, _, entries in posted)
            rarity = np.float32(times * math.log(1 + (len(self) - frequency + 0.5) / (frequency + 0.5)))
            for place, part, entries in posted:
                documents, counts = part.documents[entries], part.weights[entries]
                scores[place][documents] += rarity * (counts / (counts + self._norms[place][documents]))
        return scores

    def _set_segments(self, segments: Segments) -> None:
        """Set the segments, and compute the vocabulary and the length norm of each text from them."""
        known = [word for part in segments.parts for word in part.words]
        self._segments, self._vocabulary = segments, {word: place for place, word in enumerate(known)}
        lengths = np.concatenate([np.zeros(0, dtype=np.float32), *(part.lengths for part in segments.parts)])
        average = max(lengths.mean(dtype=np.float64), 1e-9) if len(lengths) else 1.0
        self._norms = (self.k1 * (1 - self.b + self.b * lengths / average)).astype(np.float32)

    def _words(self, text: str, where: str) -> list[str]:
        if not isinstance(text, str):
            raise InputTypeError(f"{where} is {described(text)}; expected a str")
        check_unicode(text, where)
        found = self._tokenize(text)
        if isinstance(found, str) or not isinstance(found, Iterable):
            raise InputTypeError(f"the tokenizer gave {described(found)}; expected a list of words")
        return list(found)


def _recorded_tokenizer(settings: Fields) -> str | None:
    """The name that an index records, None for a function; before there were names, the words were "letters"."""
    if "own_tokenizer" in settings:
        return None if settings.flag("own_tokenizer") else _BEFORE_NAMES
    if "tokenizer" not in settings:
        raise settings.wrong("tokenizer", f"null, or one of {', '.join(map(repr, TOKENIZERS))}")
    return settings.choice("tokenizer", (None, *TOKENIZERS))


def _agreed_tokenizer(path: str | Path, recorded: str | None, given: Tokenize | str | None) -> Tokenize:
    """The tokenizer of the index in ``path``, which records a name or None; raises OptionError for another one."""
    if recorded is not None:
        if given not in (None, recorded, TOKENIZERS[recorded]):
            raise OptionError(f"{path} was created with the tokenizer {recorded!r}; pass no other: BM25.open(path)")
        return TOKENIZERS[recorded]
    if not callable(given):
        raise OptionError(
            f"{path} was created with a tokenizer, which is not saved; pass it: BM25.open(path, tokenizer=...)"
        )
    return given


def _count(terms: NDArray[np.intc], lengths: Ids, vocabulary: int, new: tuple[str, ...]) -> Postings:
    """Postings of how often each text has each of its words; ``terms`` are the words of all texts, in order."""
    texts = len(lengths)
    entries = terms.astype(np.int64) * texts + np.repeat(np.arange(texts), lengths)
    entries, counts = np.unique(entries, return_counts=True)
    rows, documents = np.divmod(entries, texts)
    return sort_postings(rows, documents, counts.astype(np.float32), (texts, vocabulary), new)
