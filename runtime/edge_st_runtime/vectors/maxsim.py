"""MaxSim, the score of late interaction. Source: sentence-transformers' ``util.similarity``; ColBERT (2020).

Both sides are lists of token vectors (tokens, dim), a padded array (n, tokens, dim) whose rows of zeros are padding, or
one array (tokens, dim), which counts as a list of one. Objects with ``__array__``, such as torch tensors, are arrays,
too. All functions raise InputError for other shapes and different widths, OptionError for another device than the CPU.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..checks import check_count
from ..errors import InputError, OptionError
from .dense import as_matrix, as_numbers

#: products of a query's token with a document's token that are in memory at once
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
    ``chunk_elements`` bounds the products that are in memory at once; None: 4 million. A query without tokens scores 0,
    a document without tokens -1e9.
    """
    _check_device(device)
    queries, documents = _side(a, a_mask, "a"), _side(b, b_mask, "b")
    scores = np.zeros((len(queries), len(documents)), dtype=np.float32)
    _check_widths(queries, documents)
    if chunk_elements is not None:
        check_count("chunk_elements", chunk_elements)
    budget = _AT_ONCE if chunk_elements is None else chunk_elements
    for rows in _chunks(queries.lengths, budget // max(1, documents.longest)):
        tokens, weights, starts = queries.joined(rows)
        for columns in _chunks(documents.lengths, budget // len(tokens)):
            others, _, places = documents.joined(columns)
            best = np.maximum.reduceat(tokens @ others.T, places, axis=1).astype(np.float32, copy=False)
            scores[np.ix_(rows, columns)] = np.add.reduceat(best * weights[:, None], starts, axis=0)
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
    _check_device(device)
    if chunk_elements is not None:
        check_count("chunk_elements", chunk_elements)
    queries, documents = _side(a, a_mask, "a"), _side(b, b_mask, "b")
    if len(queries) != len(documents):
        raise InputError(
            f"`a` and `b` must hold the same number of items to score as pairs, got {len(queries)} and "
            f"{len(documents)}."
        )
    _check_widths(queries, documents)
    scores = np.zeros(len(queries), dtype=np.float32)
    for place, (query, weights, document) in enumerate(
        zip(queries.items, queries.weights, documents.items, strict=True)
    ):
        if len(query) and len(document):
            scores[place] = ((query @ document.T).max(axis=1).astype(np.float32) * weights).sum()
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


@dataclass(frozen=True, eq=False)
class _Side:
    """The token vectors of several texts: ``items`` (tokens, dim), without those that do not count, and their weights.

    ``width`` is that of the vectors, None where there are none.
    """

    items: Sequence[NDArray[Any]]
    weights: Sequence[NDArray[Any]]
    width: int | None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def lengths(self) -> list[int]:
        return [len(item) for item in self.items]

    @property
    def longest(self) -> int:
        return max(self.lengths, default=0)

    def joined(self, places: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
        """The vectors and weights of the items at ``places``, none of which is empty, and where each begins."""
        lengths = [len(self.items[place]) for place in places]
        starts = np.cumsum([0, *lengths[:-1]])
        vectors = np.concatenate([self.items[place] for place in places])
        return vectors, np.concatenate([self.weights[place] for place in places]), starts


def _side(embeddings: Any, mask: Any, name: str) -> _Side:
    """``embeddings`` with ``mask``, of which ``name`` is the argument's name."""
    padded = None if isinstance(embeddings, list | tuple) else as_numbers(embeddings, name)
    if padded is not None:
        padded = padded if padded.dtype.kind == "f" else padded.astype(np.float32)
        if padded.ndim not in (2, 3):
            raise InputError(f"{name} has the shape {padded.shape}; expected (n, tokens, dim) or (tokens, dim)")
        padded = padded[None] if padded.ndim == 2 else padded
        if mask is None:
            return _kept(list(padded), [row.any(axis=1) for row in padded], padded.shape[2])
    listed = embeddings if padded is None else padded
    items = [_item(item, f"{name}[{place}]") for place, item in enumerate(listed)]
    width = next((item.shape[1] for item in items if item.size), None)
    if mask is None:
        return _Side(items, [np.ones(len(item), dtype=np.float32) for item in items], width)
    return _kept(items, _masks(mask, items, f"{name}_mask"), width)


def _item(item: Any, name: str) -> NDArray[Any]:
    found = as_matrix(item, name)
    if not np.size(found):
        return found.reshape(0, found.shape[-1])
    if np.ndim(item) != 2:
        raise InputError(f"{name} has {np.ndim(item)} axes; expected token vectors (tokens, dim)")
    return found


def _masks(mask: Any, items: Sequence[NDArray[Any]], name: str) -> list[NDArray[Any]]:
    """A mask for each of ``items``, as long as it; raises InputError for masks of other lengths."""
    listed = mask if isinstance(mask, list | tuple) else np.atleast_2d(as_numbers(mask, name))
    rows = [as_numbers(row, name) for row in listed]
    rows = rows * len(items) if len(rows) == 1 else rows
    if len(rows) != len(items):
        raise InputError(f"`{name}` has {len(rows)} masks for {len(items)} items; expected one for each")
    longest, covered = max(map(len, items), default=0), max(map(len, rows), default=0)
    if covered != longest:
        raise InputError(f"`{name}` covers {covered} tokens, but the padded embeddings have {longest}.")
    return [np.pad(row, (0, max(0, len(item) - len(row))))[: len(item)] for row, item in zip(rows, items, strict=True)]


def _kept(items: Sequence[NDArray[Any]], masks: Sequence[NDArray[Any]], width: int | None) -> _Side:
    kept = [(item[mask != 0], mask[mask != 0].astype(np.float32)) for item, mask in zip(items, masks, strict=True)]
    return _Side([item for item, _ in kept], [weights for _, weights in kept], width)


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


def _check_device(device: str | None) -> None:
    if device not in (None, "cpu"):
        raise OptionError(f"device is {device!r}; NumPy computes the scores on the CPU: leave it out")
