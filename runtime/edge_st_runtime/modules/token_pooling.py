"""Fewer token vectors for each text: pooling in a model's folder, of one call, or of finished vectors.

Pooled vectors that are pooled again are pooled twice. Source: sentence-transformers' token_pooling.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import check_number, described
from ..engines.signature import TOKEN_EMBEDDINGS
from ..errors import InputError, InputTypeError, OptionError
from ..vectors.dense import normalize, numbers_as_given
from .specs import Features, Widths, checked_width
from .token_mask import DOCUMENT, TASK
from .ward import ward_clusters

Vectors = NDArray[np.floating]
Side = Literal["left", "right"]


class BaseTokenPooling(ABC):
    """What a token pooling has; one of your own has `pool_one`.

    ``tasks``, a name or several, are the tasks whose texts are pooled; others stay as they are. None: ["document"]. A
    text without a task is a document.
    """

    tasks: tuple[str, ...]

    def __init__(self, *, tasks: str | Sequence[str] | None = None) -> None:
        self.tasks = _names(tasks)

    def applies_to(self, task: str | None) -> bool:
        """Whether texts for ``task`` are pooled; None is "document"."""
        return (task or DOCUMENT) in self.tasks

    @abstractmethod
    def pool_one(self, embedding: Vectors) -> Vectors:
        """The vectors (pooled, dim) of one text for its ``embedding`` (tokens, dim); both are floats."""

    @overload
    def pool(
        self,
        embeddings: list[Any],
        *,
        task: str | None = None,
        attention_mask: ArrayLike | None = None,
        padding_side: Side = "right",
    ) -> list[Vectors]: ...

    @overload
    def pool(
        self,
        embeddings: Vectors,
        *,
        task: str | None = None,
        attention_mask: ArrayLike | None = None,
        padding_side: Side = "right",
    ) -> Vectors: ...

    def pool(
        self,
        embeddings: list[Any] | Vectors,
        *,
        task: str | None = None,
        attention_mask: ArrayLike | None = None,
        padding_side: Side = "right",
    ) -> list[Vectors] | Vectors:
        """The pooled vectors of several texts: a list of (tokens, dim) gives a list, (n, tokens, dim) a padded array.

        ``task`` is what the texts were encoded for; where it is none of `tasks`, they are returned as they are.
        ``attention_mask`` (n, tokens) says which vectors of a padded array are tokens. Without it, those that are zero
        at the ``padding_side`` are none. A padded result is filled up with zeros on that side.

        Raises InputError for arrays of another shape, InputTypeError for anything but arrays of floats, OptionError for
        another ``padding_side``. Source: sentence-transformers' BaseTokenPooling.pool.
        """
        if not self.applies_to(task):
            return embeddings
        if isinstance(embeddings, list):
            return [self.pool_one(_floats(each, 2, f"embeddings[{place}]")) for place, each in enumerate(embeddings)]
        if not hasattr(embeddings, "__array__"):
            raise InputTypeError(
                f"embeddings must be a list of 2D arrays or a 3D padded array; got {described(embeddings)}"
            )
        padded = _floats(embeddings, 3, "embeddings")
        if padding_side not in ("left", "right"):
            raise OptionError(f"padding_side must be 'left' or 'right', got {padding_side!r}.")
        if not len(padded):
            return padded[:, :0]
        rows = _own_rows(padded, attention_mask, padding_side)
        return _padded([self.pool_one(each) for each in rows], padding_side)

    def __call__(self, features: Features) -> Features:
        """Pool ``token_embeddings`` over ``attention_mask``; the new ones have their padding on the right."""
        tokens, mask = features[TOKEN_EMBEDDINGS], features["attention_mask"].astype(bool)
        if not self.applies_to(features.get(TASK)) or not len(tokens):
            return features
        pooled = [self.pool_one(vectors[own]) for vectors, own in zip(tokens, mask, strict=True)]
        lengths = np.array([len(each) for each in pooled])
        kept = np.arange(lengths.max()) < lengths[:, None]
        return {**features, TOKEN_EMBEDDINGS: _padded(pooled, "right"), "attention_mask": kept}

    def widths(self, widths: Widths) -> Widths:
        """Unchanged."""
        checked_width(self, widths, TOKEN_EMBEDDINGS)
        return widths


@dataclass(frozen=True, init=False)
class HierarchicalTokenPooling(BaseTokenPooling):
    """The means of similar tokens: of n tokens, about n / ``pool_factor`` clusters; 1.0 pools nothing.

    The clusters are those of Ward's method on the cosine distance, for which the vectors must be of unit length. The
    first ``num_protected_tokens``, mostly a [CLS], stay as they are. With ``normalize_embeddings``, all vectors that
    come out have unit length. For ``tasks`` see `BaseTokenPooling`.

    Raises OptionError for a ``pool_factor`` below 1 and ``num_protected_tokens`` below 0.
    Source: sentence-transformers' HierarchicalTokenPooling (https://arxiv.org/abs/2409.14683).
    """

    pool_factor: float
    num_protected_tokens: int
    normalize_embeddings: bool
    tasks: tuple[str, ...]

    def __init__(
        self,
        pool_factor: float = 1.0,
        *,
        num_protected_tokens: int = 1,
        normalize_embeddings: bool = True,
        tasks: str | Sequence[str] | None = None,
    ) -> None:
        check_number("pool_factor", pool_factor)
        if pool_factor < 1:
            raise OptionError(f"pool_factor must be >= 1, got {pool_factor}.")
        check_number("num_protected_tokens", num_protected_tokens)
        if num_protected_tokens < 0 or num_protected_tokens != int(num_protected_tokens):
            raise OptionError(f"num_protected_tokens must be >= 0, got {num_protected_tokens}.")
        object.__setattr__(self, "pool_factor", float(pool_factor))
        object.__setattr__(self, "num_protected_tokens", int(num_protected_tokens))
        object.__setattr__(self, "normalize_embeddings", bool(normalize_embeddings))
        object.__setattr__(self, "tasks", _names(tasks))

    def __call__(self, features: Features) -> Features:
        """As `BaseTokenPooling`'s; where nothing is pooled, the padding stays where it is."""
        if self.pool_factor > 1:
            return super().__call__(features)
        if not self.normalize_embeddings or not self.applies_to(features.get(TASK)):
            return features
        return {**features, TOKEN_EMBEDDINGS: _of_unit_length(features[TOKEN_EMBEDDINGS])}

    def pool_one(self, embedding: Vectors) -> Vectors:
        """The protected vectors, then the means of the clusters.

        Raises InputError for vectors that are NaN or infinite.
        """
        rest = embedding[self.num_protected_tokens :]
        clusters = max(int(len(rest) // self.pool_factor), 1)
        if clusters < len(rest):
            means = _means(rest, ward_clusters(_cosine_distances(rest), clusters))
            embedding = np.concatenate([embedding[: self.num_protected_tokens], means])
        return _of_unit_length(embedding) if self.normalize_embeddings else embedding


class LambdaTokenPooling(BaseTokenPooling):
    """A function ``pool_fn`` of your own, of (tokens, dim) to (pooled, dim); for ``tasks`` see `BaseTokenPooling`.

    It cannot be part of a model's folder, and a process pool needs a function that has a name, no lambda.
    Source: sentence-transformers' LambdaTokenPooling.
    """

    def __init__(self, pool_fn: Callable[[Vectors], ArrayLike], *, tasks: str | Sequence[str] | None = None) -> None:
        super().__init__(tasks=tasks)
        self.pool_fn = pool_fn

    def pool_one(self, embedding: Vectors) -> Vectors:
        """What the function gives. Raises InputError or InputTypeError for another thing than vectors (n, dim)."""
        return _floats(self.pool_fn(embedding), 2, "the result of pool_fn")


def _names(tasks: str | Sequence[str] | None) -> tuple[str, ...]:
    return (DOCUMENT,) if tasks is None else (tasks,) if isinstance(tasks, str) else tuple(tasks)


def _floats(values: Any, dimensions: int, name: str) -> Vectors:
    """``values`` as an array of floats; raises InputError, InputTypeError."""
    array = numbers_as_given(values, name)
    if array.ndim != dimensions:
        raise InputError(f"{name} must be {dimensions}D; got shape {array.shape}")
    if array.dtype.kind != "f":
        raise InputTypeError(f"{name} holds {array.dtype}; expected floats, as encode gives them")
    return array


def _own_rows(padded: Vectors, mask: ArrayLike | None, side: str) -> list[Vectors]:
    """The vectors of each text in a padded array, without those of the padding."""
    if mask is not None:
        kept = np.asarray(mask).astype(bool)
        if kept.shape != padded.shape[:2]:
            raise InputError(f"attention_mask has the shape {kept.shape}; expected {padded.shape[:2]}")
        return [vectors[own] for vectors, own in zip(padded, kept, strict=True)]
    rows = []
    for vectors in padded:
        own = np.flatnonzero(vectors.any(axis=1))
        if not len(own):
            rows.append(vectors[:0])
        else:
            rows.append(vectors[: own[-1] + 1] if side == "right" else vectors[own[0] :])
    return rows


def _padded(rows: list[Vectors], side: str) -> Vectors:
    """Several (tokens, dim), one at least, as one array (n, longest, dim) with zeros on ``side``."""
    longest = max(map(len, rows))
    padded = np.zeros((len(rows), longest, rows[0].shape[1]), rows[0].dtype)
    for place, vectors in zip(padded, rows, strict=True):
        place[slice(len(vectors)) if side == "right" else slice(longest - len(vectors), None)] = vectors
    return padded


def _of_unit_length(vectors: Vectors) -> Vectors:
    if vectors.dtype == np.float16:
        return normalize(vectors.astype(np.float32)).astype(np.float16)
    return normalize(vectors)


def _cosine_distances(vectors: Vectors) -> NDArray[np.float32]:
    """(n, n) float32 between 0 and 2, for ``vectors`` of unit length."""
    single = vectors.astype(np.float32)
    return np.clip(1 - single @ single.T, 0, 2)


def _means(vectors: Vectors, clusters: NDArray[np.int64]) -> Vectors:
    """The mean (dim,) of each cluster's vectors, in the order of the clusters, which are none empty."""
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    counts = np.diff(starts, append=len(clusters)).astype(vectors.dtype)
    sums: Vectors = np.add.reduceat(vectors[order], starts, axis=0)
    return sums / counts[:, None]
