"""BM25: search by the words of a text, without a model.

Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), as scored by Lucene.
"""

import math
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ids
from ...errors import DamagedFileError, InputTypeError, OptionError
from .postings import Postings, best_of_each, sort_postings
from .segments import Segmented, Segments

Tokenize: TypeAlias = Callable[[str], list[str]]
_KIND = "BM25"
_WORD = re.compile(r"(?u)\b\w\w+\b")


def words(text: str) -> list[str]:
    """The words of two letters and more in ``text``, lower-cased."""
    return _WORD.findall(text.lower())


class BM25(Segmented):
    """Texts by their words, in memory or, once opened from one, in a folder.

    ``tokenizer`` splits a text into words; None stands for `words`. ``k1`` says how soon a word that occurs again
    counts no more, ``b`` how much long texts are held back. A text is known by its position, in the order of adding.
    Searches may run in several threads, but not while texts are added. `save` leaves out the tokenizer. Raises
    OptionError for ``k1`` below 0 and for ``b`` beyond 0 to 1.
    """

    def __init__(self, tokenizer: Tokenize | None = None, k1: float = 1.5, b: float = 0.75) -> None:
        if tokenizer is not None and not callable(tokenizer):
            raise OptionError(f"tokenizer is {tokenizer!r}; expected a function of a text that gives its words")
        if not isinstance(k1, int | float) or not 0 <= k1 < math.inf:
            raise OptionError(f"k1 is {k1}; expected at least 0, such as 1.5")
        if not isinstance(b, int | float) or not 0 <= b <= 1:
            raise OptionError(f"b is {b}; expected 0 to 1, such as 0.75")
        self.k1, self.b = k1, b
        self._tokenize = tokenizer or words
        self._set_segments(Segments(_KIND, {"k1": k1, "b": b, "own_tokenizer": tokenizer is not None}))

    @classmethod
    def open(cls, path: str | Path, tokenizer: Tokenize | None = None) -> "BM25":
        """The index in folder ``path``, memory-mapped; what is added goes to the folder.

        A ``tokenizer`` cannot be saved: give the one that the index was made with again. Raises OptionError where it is
        missing or too much, FolderError for a folder that holds no index, DamagedFileError or MissingFileError for a
        damaged one.
        """
        segments = Segments.open(path, _KIND)
        try:
            own, k1, b = (segments.settings[name] for name in ("own_tokenizer", "k1", "b"))
            index = cls(tokenizer, float(k1), float(b))
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedFileError(f"{path} has settings without {error}; build the index again") from error
        if own and tokenizer is None:
            raise OptionError(f"{path} was made with a tokenizer, which is not saved; BM25.open(path, tokenizer=...)")
        if tokenizer is not None and not own:
            raise OptionError(f"{path} was made with the default tokenizer; BM25.open(path) without another")
        if [part.terms for part in segments.parts] != list(accumulate(len(part.words) for part in segments.parts)):
            raise DamagedFileError(f"{path} has segments that are not of one vocabulary; build the index again")
        index._set_segments(segments)
        return index

    def add(self, texts: Sequence[str]) -> None:
        """Append texts, in a folder as a new segment that is there whole or not at all.

        Raises InputTypeError for what is no text, FolderError where it cannot be written.
        """
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            raise InputTypeError(f"texts is a {type(texts).__name__}; expected a list of str: [text]")
        vocabulary: defaultdict[str, int] = defaultdict(None, self._vocabulary)
        vocabulary.default_factory = vocabulary.__len__
        terms, lengths = array("i"), []
        for place, text in enumerate(texts):
            before = len(terms)
            terms.extend(map(vocabulary.__getitem__, self._words(text, place)))
            lengths.append(len(terms) - before)
        if lengths:
            new = tuple(islice(vocabulary, len(self._vocabulary), None))
            if not all(isinstance(word, str) for word in new):
                raise InputTypeError("the tokenizer gave words that are not str; expected list[str]")
            self._segments.append(_count(np.frombuffer(terms, dtype=np.intc), np.array(lengths), len(vocabulary), new))
            self._set_segments(self._segments)

    def search(self, queries: str | Sequence[str], top_k: int = 10) -> tuple[Floats, Ids]:
        """Scores (queries, k) float32 and positions (queries, k) int64 of each query's best texts, best first.

        k is ``top_k``, or the number of texts where that is less. Equal scores are in order of position; texts without
        a word of the query have score 0. Raises OptionError for ``top_k`` below 1, InputTypeError for what is no text.
        """
        if not isinstance(queries, Iterable):
            raise InputTypeError(f"queries is a {type(queries).__name__}; expected a str or a list of them")
        queries = [queries] if isinstance(queries, str) else list(queries)
        return best_of_each(map(self.scores, queries), len(queries), len(self), top_k)

    def scores(self, query: str) -> Floats:
        """The score (n,) of every text; a word counts as often as ``query`` has it. Raises InputTypeError."""
        scores = np.zeros(len(self), dtype=np.float32)
        for word, times in Counter(self._words(query, 0)).items():
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
        """Take over ``segments`` and what follows from all of them: the vocabulary and each text's share of k1."""
        known = [word for part in segments.parts for word in part.words]
        self._segments, self._vocabulary = segments, {word: place for place, word in enumerate(known)}
        lengths = np.concatenate([np.zeros(0, dtype=np.float32), *(part.lengths for part in segments.parts)])
        average = max(lengths.mean(dtype=np.float64), 1e-9) if len(lengths) else 1.0
        self._norms = (self.k1 * (1 - self.b + self.b * lengths / average)).astype(np.float32)

    def _words(self, text: str, place: int) -> list[str]:
        if not isinstance(text, str):
            raise InputTypeError(f"text {place} is {type(text).__name__}; expected str")
        found = self._tokenize(text)
        if isinstance(found, str) or not isinstance(found, Iterable):
            raise InputTypeError(f"the tokenizer gave a {type(found).__name__}; expected a list of words")
        return list(found)


def _count(terms: NDArray[np.intc], lengths: Ids, vocabulary: int, new: tuple[str, ...]) -> Postings:
    """Postings of how often each text has each of its words; ``terms`` are those of one text after the other."""
    texts = len(lengths)
    entries = terms.astype(np.int64) * texts + np.repeat(np.arange(texts), lengths)
    entries, counts = np.unique(entries, return_counts=True)
    rows, documents = np.divmod(entries, texts)
    return sort_postings(rows, documents, counts.astype(np.float32), (texts, vocabulary), new)
