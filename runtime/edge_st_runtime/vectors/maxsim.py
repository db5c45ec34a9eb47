"""MaxSim, the score of late interaction. Source: sentence-transformers' ``util.similarity``; ColBERT (2020).

Both sides are lists of token vectors (tokens, dim), a padded array (n, tokens, dim) whose rows of zeros are padding, or
one array (tokens, dim), which counts as a list of one. Objects with ``__array__``, such as torch tensors, are arrays,
too. All functions raise InputError for other shapes and different widths, OptionError for another device than the CPU.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..checks import check_count
from ..errors import InputError, OptionError
from .dense import as_matrix, as_numbers

#: numbers that are in memory at once: products of tokens, and the vectors of the documents that are compared
_AT_ONCE = 4_000_000
#: the score of a document without a token; lower than any real one
EMPTY_DOCUMENT = -1e9
_logger = logging.getLogger(__name__)


def maxsim(
    a: Any,
    b: Any,
    a_mask: Any = None,
    b_mask: Any = None,
    chunk_elements: int | None = None,
    length_normalize: bool = False,
    device: str | None = None,
) -> Floats:
    """Scores (n, m) float32 of every query in ``a`` with every document in ``b``.

    A score is the sum, over the query's tokens, of the largest dot product with one of the document's tokens.
    ``a_mask`` and ``b_mask`` are masks (n, tokens), or lists of masks: tokens where they are 0 do not count, and other
    numbers in ``a_mask`` are weights. ``length_normalize`` divides by the number of the query's tokens.
    ``chunk_elements`` bounds the numbers that are in memory at once; None: 4 million. A query without tokens scores 0,
    a document without tokens -1e9.
    """
    queries, documents = _sides(a, b, a_mask, b_mask, chunk_elements, device)
    scores = np.zeros((len(queries), len(documents)), dtype=np.float32)
    budget = _AT_ONCE if chunk_elements is None else chunk_elements
    for rows in _chunks(queries.lengths, isqrt(budget)):
        tokens, starts = queries.joined(rows)
        weights = queries.joined_weights(rows)
        for columns in _chunks(documents.lengths, budget // sum(tokens.shape)):
            others, places = documents.joined(columns)
            best = np.maximum.reduceat(tokens @ others.T, places, axis=1).astype(np.float32, copy=False)
            weighted = best if weights is None else best * weights[:, None]
            scores[np.ix_(rows, columns)] = np.add.reduceat(weighted, starts, axis=0)
    return _finished(scores, queries, documents, length_normalize=length_normalize)


def maxsim_pairwise(
    a: Any,
    b: Any,
    a_mask: Any = None,
    b_mask: Any = None,
    chunk_elements: int | None = None,
    length_normalize: bool = False,
    device: str | None = None,
) -> Floats:
    """Scores (n,) float32 of each query in ``a`` with the document at its place in ``b``; arguments as in `maxsim`.

    One pair at a time is in memory, whatever ``chunk_elements`` says. Raises InputError where the numbers differ.
    """
    queries, documents = _sides(a, b, a_mask, b_mask, chunk_elements, device)
    if len(queries) != len(documents):
        raise InputError(
            f"`a` and `b` must hold the same number of items to score as pairs, got {len(queries)} and "
            f"{len(documents)}."
        )
    scores = np.zeros(len(queries), dtype=np.float32)
    for place, (query, document) in enumerate(zip(queries.items, documents.items, strict=True)):
        if len(query) and len(document):
            best = (query @ document.T).max(axis=1).astype(np.float32, copy=False)
            scores[place] = (best if queries.weights is None else best * queries.weights[place]).sum()
    return _finished(scores, queries, documents, length_normalize=length_normalize)


def mean_maxsim(
    a: Any,
    b: Any,
    a_mask: Any = None,
    b_mask: Any = None,
    chunk_elements: int | None = None,
    length_normalize: bool = True,
    device: str | None = None,
) -> Floats:
    """`maxsim` divided by the number of the query's tokens: (n, m)."""
    return maxsim(a, b, a_mask, b_mask, chunk_elements, length_normalize, device)


def mean_maxsim_pairwise(
    a: Any,
    b: Any,
    a_mask: Any = None,
    b_mask: Any = None,
    chunk_elements: int | None = None,
    length_normalize: bool = True,
    device: str | None = None,
) -> Floats:
    """`maxsim_pairwise` divided by the number of the query's tokens: (n,)."""
    return maxsim_pairwise(a, b, a_mask, b_mask, chunk_elements, length_normalize, device)


@dataclass(eq=False)
class _Side:
    """The token vectors of several texts: ``items`` (tokens, dim), without those that do not count.

    ``width`` is that of the vectors, None where there are none. ``weights`` (tokens,) are those of each item's tokens;
    None where all are 1.
    """

    items: Sequence[NDArray[Any]]
    width: int | None
    weights: Sequence[Floats] | None = None

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def lengths(self) -> list[int]:
        return [len(item) for item in self.items]

    def joined(self, places: Sequence[int]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The vectors of the items at ``places``, none of which is empty, and where each begins."""
        starts = np.cumsum([0, *(self.lengths[place] for place in places[:-1])])
        return np.concatenate([self.items[place] for place in places]), starts

    def joined_weights(self, places: Sequence[int]) -> Floats | None:
        """The weights of the items at ``places``; None where all are 1."""
        return None if self.weights is None else np.concatenate([self.weights[place] for place in places])


def _sides(
    a: Any, b: Any, a_mask: Any, b_mask: Any, chunk_elements: int | None, device: str | None
) -> tuple[_Side, _Side]:
    """The queries and the documents that the arguments of `maxsim` give; raises what it does."""
    if str(device) not in ("None", "cpu"):
        raise OptionError(f"device is {device!r}; NumPy computes the scores on the CPU: leave it out")
    if chunk_elements is not None:
        check_count("chunk_elements", chunk_elements)
    queries, documents = _side(a, a_mask, "a"), _side(b, b_mask, "b")
    _check_widths(queries, documents)
    return queries, documents


def _side(embeddings: Any, mask: Any, name: str) -> _Side:
    """``embeddings`` with ``mask``, of which ``name`` is the argument's name."""
    padded = None if isinstance(embeddings, list | tuple) else as_numbers(embeddings, name)
    if padded is not None:
        padded = padded if padded.dtype.kind == "f" else padded.astype(np.float32)
        if padded.ndim not in (2, 3):
            raise InputError(f"{name} has the shape {padded.shape}; expected (n, tokens, dim) or (tokens, dim)")
        padded = padded[None] if padded.ndim == 2 else padded
        if mask is None:
            return _Side([row[row.any(axis=1)] for row in padded], padded.shape[2])
    listed = embeddings if padded is None else padded
    items = [_item(item, f"{name}[{place}]") for place, item in enumerate(listed)]
    width = next((item.shape[1] for item in items if item.size), None)
    if mask is None:
        return _Side(items, width)
    masks = _masks(mask, items, f"{name}_mask")
    kept = [item[marked != 0] for item, marked in zip(items, masks, strict=True)]
    return _Side(kept, width, [marked[marked != 0].astype(np.float32) for marked in masks])


def _item(item: Any, name: str) -> NDArray[Any]:
    if isinstance(item, np.ndarray) and item.dtype == np.float32 and item.ndim == 2 and item.size:
        return item
    found = as_matrix(item, name)
    if not np.size(found):
        return found.reshape(0, found.shape[-1])
    if np.ndim(item) != 2:
        raise InputError(f"{name} has {np.ndim(item)} axes; expected token vectors (tokens, dim)")
    return found


def _masks(mask: Any, items: Sequence[NDArray[Any]], name: str) -> list[NDArray[Any]]:
    """A mask for each of ``items``, as long as it; raises InputError for masks of other lengths."""
    of_each = isinstance(mask, list | tuple) and any(map(np.ndim, mask))
    rows = [as_numbers(row, name) for row in (mask if of_each else np.atleast_2d(as_numbers(mask, name)))]
    other = next((row.shape for row in rows if row.ndim != 1), None)
    if other is not None:
        raise InputError(f"`{name}` has a mask of the shape {other}; expected (tokens,)")
    rows = rows * len(items) if len(rows) == 1 else rows
    if len(rows) != len(items):
        raise InputError(f"`{name}` has {len(rows)} masks for {len(items)} items; expected one for each")
    longest, covered = max(map(len, items), default=0), max(map(len, rows), default=0)
    if covered != longest:
        raise InputError(f"`{name}` covers {covered} tokens, but the padded embeddings have {longest}.")
    return [np.pad(row, (0, max(0, len(item) - len(row))))[: len(item)] for row, item in zip(rows, items, strict=True)]


def _chunks(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """The places of items that are not empty, so many at a time that they have at most ``most`` tokens, or one."""
    chunk: list[int] = []
    tokens = 0
    for place, length in enumerate(lengths):
        if chunk and tokens + length > most:
            yield chunk
            chunk, tokens = [], 0
        if length:
            chunk.append(place)
            tokens += length
    if chunk:
        yield chunk


def _finished(scores: Floats, queries: _Side, documents: _Side, *, length_normalize: bool) -> Floats:
    """``scores`` with those of empty documents, divided by the queries' lengths where that is asked for."""
    empty = np.array([not length for length in documents.lengths], dtype=bool)
    if empty.any():
        _warn_of_empty_documents()
        scores[..., empty] = EMPTY_DOCUMENT
    if length_normalize:
        counts = np.maximum(np.array(queries.lengths, dtype=np.float32), 1)
        scores /= counts[:, None] if scores.ndim == 2 else counts
    return scores


@cache
def _warn_of_empty_documents() -> None:
    _logger.warning(
        "There are documents without a token that can be scored, as where a skip list leaves out all of them. They "
        "score %.0e, below every other document.",
        EMPTY_DOCUMENT,
    )


def _check_widths(queries: _Side, documents: _Side) -> None:
    for side in (queries, documents):
        other = next((item.shape[1] for item in side.items if item.size and item.shape[1] != side.width), side.width)
        if other != side.width:
            raise InputError(f"token vectors of {side.width} and {other} dimensions; expected the same width")
    if None not in (queries.width, documents.width) and queries.width != documents.width:
        raise InputError(f"token vectors of {queries.width} and {documents.width} dimensions; expected the same width")
