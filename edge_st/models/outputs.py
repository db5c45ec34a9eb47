"""From vectors to what ``encode`` was asked to return."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import EngineMissingError, OptionError
from edge_st_runtime.model.pipeline import Rows
from edge_st_runtime.model.repeats import Distinct
from edge_st_runtime.modules.specs import Features
from edge_st_runtime.vectors.dense import normalize

_COPIED = 8192
OUTPUT_VALUES = ("sentence_embedding", "token_embeddings", None)
_PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "token_embeddings")


def sentence_embedding(truncate_dim: int | None, normalized: bool) -> Callable[[Features], Floats]:
    """A function from features to vectors (batch, dim): cut to ``truncate_dim`` first, then normalized."""

    def select(features: Features) -> Floats:
        vectors: Floats = features["sentence_embedding"][..., :truncate_dim]
        return normalize(vectors) if normalized else vectors

    return select


def feature(name: str) -> Callable[[Features], Any]:
    """A function from features to the one called ``name``."""
    return lambda features: features[name]


def token_embeddings(features: Features) -> list[Floats]:
    """Each text's token embeddings (tokens, hidden), special tokens included, padding left out."""
    tokens, mask = features["token_embeddings"], features["attention_mask"].astype(bool)
    return [row[own] for row, own in zip(tokens, mask, strict=True)]


def all_features(truncate_dim: int | None) -> Callable[[Features], list[dict[str, Any]]]:
    """A function from features to one dictionary a text, padding left out."""

    def select(features: Features) -> list[dict[str, Any]]:
        mask = features["attention_mask"].astype(bool)
        rows = [dict[str, Any]() for _ in mask]
        for name, values in features.items():
            if name == "prompt_length":
                values = [values] * len(rows)
            elif name == "sentence_embedding":
                values = values[..., :truncate_dim]
            for row, value, own in zip(rows, values, mask, strict=True):
                row[name] = value[own] if name in _PER_TOKEN else value
        return rows

    return select


def gather(batches: Iterator[tuple[Rows, Floats]], distinct: Distinct, advance: Callable[[int], Any]) -> Floats:
    """The vectors (count, dim) of all texts from the batches' of the distinct ones, of which there is at least one."""
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


def gather_lists(
    batches: Iterator[tuple[Rows, list[Any]]], distinct: Distinct, advance: Callable[[int], Any]
) -> list[Any]:
    """One value a text, in the order of all texts; each is its own."""
    found: list[Any] = [None] * distinct.count
    for rows, values in batches:
        for row, value in zip(distinct.first[rows].tolist(), values, strict=True):
            found[row] = value
        advance(len(rows))
    for copy, original in zip(distinct.copies.tolist(), distinct.originals.tolist(), strict=True):
        found[copy] = deepcopy(found[original])
    advance(len(distinct.copies))
    return found


def spread(found: Any, distinct: Distinct) -> Any:
    """``found``, an array, sparse matrix or list of the distinct texts, for all texts."""
    if not len(distinct.copies):
        return found
    source = np.empty(distinct.count, dtype=np.int64)
    source[distinct.first] = np.arange(len(distinct.first))
    source[distinct.copies] = source[distinct.originals]
    if not isinstance(found, list):
        return found[source]
    copies = set(distinct.copies.tolist())
    return [deepcopy(found[row]) if place in copies else found[row] for place, row in enumerate(source.tolist())]


def check_output_value(output_value: str | None, *, pools: bool) -> None:
    """Raise OptionError for an unknown value, or for token embeddings of a model that has none."""
    if output_value not in OUTPUT_VALUES:
        raise OptionError(f"output_value is {output_value!r}; expected one of {OUTPUT_VALUES}")
    if output_value == "token_embeddings" and pools:
        raise OptionError(
            "this model gives sentence embeddings only: it is static, or its graph pools by itself; for token "
            "embeddings export it again with: edge-st export"
        )


def check_truncate_dim(value: int | None) -> int | None:
    """``value`` itself; raises OptionError for what is neither a whole number nor None."""
    if value is not None and not isinstance(value, int | np.integer):
        raise OptionError(f"truncate_dim is {value!r}; expected a whole number of dimensions, or None")
    return value


def to_tensor(vectors: NDArray[Any]) -> Any:
    """``vectors`` as a torch tensor; raises EngineMissingError where torch is not installed."""
    try:
        import torch
    except ImportError:
        raise EngineMissingError(
            "convert_to_tensor=True needs torch, which edge-st does not install; take the NumPy array "
            "(convert_to_tensor=False), or: pip install torch"
        ) from None
    return torch.from_numpy(np.ascontiguousarray(vectors))
