"""What a call asks of the model for each text. An output is plain data, so that it can be sent to worker processes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, TypeAlias

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.checks import check_count
from edge_st_runtime.engines.signature import SCORES, SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS
from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.finite import RESULTS
from edge_st_runtime.model.pipeline import Rows
from edge_st_runtime.model.repeats import Distinct
from edge_st_runtime.modules.specs import Features
from edge_st_runtime.vectors.dense import normalize

Batches: TypeAlias = Iterator[tuple[Rows, Any]]
Advance: TypeAlias = Callable[[int], Any]
OUTPUT_VALUES = ("sentence_embedding", "token_embeddings", None)
_COPIED = 8192
_PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "token_embeddings")


class Output(ABC):
    """One kind of result.

    ``needs_tokens`` says that a graph which pools by itself cannot give it, ``keeps_tokens`` that it holds token
    embeddings where there are any, ``keeps_types`` that it holds token types.
    """

    needs_tokens: ClassVar[bool] = False
    keeps_tokens: ClassVar[bool] = False
    keeps_types: ClassVar[bool] = False
    #: the features in which NaN and infinity are errors
    checked: ClassVar[tuple[str, ...]] = RESULTS

    @property
    def extra(self) -> Mapping[str, Any]:
        """Features that the modules are given besides those of the graph."""
        return {}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs to take of a graph with several heads; () for the one of the model's class."""
        return ()

    @abstractmethod
    def select(self, features: Features) -> Any:
        """What is kept of a batch's features: one value for each of its texts."""

    @abstractmethod
    def gather(self, batches: Batches, distinct: Distinct, advance: Advance) -> Any:
        """The result for all texts of a call, in their order. ``advance`` is told how many more are done."""

    @abstractmethod
    def empty(self, width: int) -> Any:
        """The result for no texts; ``width`` is the last axis of the model's embeddings or scores."""


@dataclass(frozen=True)
class Embeddings(Output):
    """Sentence embeddings (texts, dim) float32, cut to ``truncate_dim`` and then, with ``normalize``, normalized."""

    truncate_dim: int | None = None
    normalize: bool = False

    def select(self, features: Features) -> Floats:
        """The embeddings (batch, dim)."""
        vectors: Floats = features[SENTENCE_EMBEDDING][..., : self.truncate_dim]
        return normalize(vectors) if self.normalize else vectors

    def gather(self, batches: Batches, distinct: Distinct, advance: Advance) -> Floats:
        """The embeddings (texts, dim)."""
        return _joined_rows(batches, distinct, advance)

    def empty(self, width: int) -> Floats:
        """(0, dim)."""
        return np.empty((0, width), dtype=np.float32)[:, : self.truncate_dim]


@dataclass(frozen=True)
class Logits(Output):
    """A cross-encoder's logits (pairs, labels) float32."""

    def select(self, features: Features) -> Floats:
        """The logits (batch, labels)."""
        logits: Floats = features[SCORES]
        return logits

    def gather(self, batches: Batches, distinct: Distinct, advance: Advance) -> Floats:
        """The logits (pairs, labels)."""
        return _joined_rows(batches, distinct, advance)

    def empty(self, width: int) -> Floats:
        """(0, labels)."""
        return np.empty((0, width), dtype=np.float32)


@dataclass(frozen=True)
class TokenEmbeddings(Output):
    """A list of token embeddings (tokens, hidden) float32: special tokens included, padding left out."""

    needs_tokens: ClassVar[bool] = True
    keeps_tokens: ClassVar[bool] = True
    checked: ClassVar[tuple[str, ...]] = (TOKEN_EMBEDDINGS,)

    def select(self, features: Features) -> list[Floats]:
        """Those of a batch."""
        tokens, mask = features[TOKEN_EMBEDDINGS], features["attention_mask"].astype(bool)
        return [row[own] for row, own in zip(tokens, mask, strict=True)]

    def gather(self, batches: Batches, distinct: Distinct, advance: Advance) -> list[Floats]:
        """Those of all texts."""
        return joined_values(batches, distinct, advance)

    def empty(self, width: int) -> list[Floats]:  # noqa: ARG002 - a list has no width
        """[]."""
        return []


@dataclass(frozen=True)
class AllFeatures(Output):
    """A list of dictionaries with every feature of a text, padding left out."""

    keeps_tokens: ClassVar[bool] = True
    keeps_types: ClassVar[bool] = True
    truncate_dim: int | None = None

    def select(self, features: Features) -> list[dict[str, Any]]:
        """Those of a batch."""
        mask = features["attention_mask"].astype(bool)
        rows: list[dict[str, Any]] = [{"modality": "text"} for _ in mask]
        for name, values in features.items():
            if name == "prompt_length":
                values = [values] * len(rows)
            elif name == SENTENCE_EMBEDDING:
                values = values[..., : self.truncate_dim]
            for row, value, own in zip(rows, values, mask, strict=True):
                row[name] = value[own] if name in _PER_TOKEN else value
        return rows

    def gather(self, batches: Batches, distinct: Distinct, advance: Advance) -> list[dict[str, Any]]:
        """Those of all texts."""
        return joined_values(batches, distinct, advance)

    def empty(self, width: int) -> list[dict[str, Any]]:  # noqa: ARG002 - a list has no width
        """[]."""
        return []


def dense_output(output_value: str | None, truncate_dim: int | None, normalize: bool) -> Output:
    """What `SentenceTransformer.encode` gives for its arguments of these names; raises OptionError."""
    check_truncate_dim(truncate_dim)
    if output_value == "sentence_embedding":
        return Embeddings(truncate_dim, normalize)
    if output_value == "token_embeddings":
        return TokenEmbeddings()
    if output_value is None:
        return AllFeatures(truncate_dim)
    raise OptionError(f"output_value is {output_value!r}; expected one of {OUTPUT_VALUES}")


def check_truncate_dim(value: int | None) -> int | None:
    """``value`` itself; raises OptionError unless it is None or a whole number of at least 1."""
    if value is not None:
        check_count("truncate_dim", value)
    return value


def check_tokens(output: Output, *, pools: bool) -> None:
    """Raise OptionError for token embeddings of a model whose graph gives none, since it pools by itself."""
    if output.needs_tokens and pools:
        raise OptionError(
            "this model gives sentence embeddings only: it is static, or its graph pools by itself; for token "
            "embeddings export it again with: edge-st export"
        )


def spread(found: Any, distinct: Distinct) -> Any:
    """The result for the distinct texts (an array, a sparse matrix or a list) as that for all texts."""
    if not len(distinct.copies):
        return found
    source = np.empty(distinct.count, dtype=np.int64)
    source[distinct.first] = np.arange(len(distinct.first))
    source[distinct.copies] = source[distinct.originals]
    if not isinstance(found, list):
        return found[source]
    copies = set(distinct.copies.tolist())
    return [deepcopy(found[row]) if place in copies else found[row] for place, row in enumerate(source.tolist())]


def _joined_rows(batches: Batches, distinct: Distinct, advance: Advance) -> Floats:
    """An array with one row for each of all texts; there is at least one batch."""
    first = next(batches)
    vectors = np.empty((distinct.count, first[1].shape[1]), dtype=np.float32)
    for rows, values in chain([first], batches):
        vectors[distinct.first[rows]] = values
        advance(len(rows))
    for start in range(0, len(distinct.copies), _COPIED):
        part = slice(start, start + _COPIED)
        vectors[distinct.copies[part]] = vectors[distinct.originals[part]]
    advance(len(distinct.copies))
    return vectors


def joined_values(batches: Batches, distinct: Distinct, advance: Advance) -> list[Any]:
    """A list with one value for each of all texts; no two share a value."""
    found: list[Any] = [None] * distinct.count
    for rows, values in batches:
        for row, value in zip(distinct.first[rows].tolist(), values, strict=True):
            found[row] = value
        advance(len(rows))
    for copy, original in zip(distinct.copies.tolist(), distinct.originals.tolist(), strict=True):
        found[copy] = deepcopy(found[original])
    advance(len(distinct.copies))
    return found
