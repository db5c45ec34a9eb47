"""The scores of pairs of texts by several heads. Source: FlagEmbedding's BGEM3FlagModel."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.checks import described
from edge_st_runtime.errors import InputError, InputTypeError, OptionError

from .all_heads import OfText
from .inputs import check_text


def as_pairs_of_texts(pairs: Any) -> tuple[list[tuple[str, str]], bool]:
    """The pairs (query, passage) in ``pairs``, and whether it was a single one.

    Raises InputTypeError or InputError, with the position, for what is no pair of texts.
    """
    expected = "a pair (query, passage) of str, or a list of them"
    if isinstance(pairs, list | tuple) and pairs and isinstance(pairs[0], str):
        return [_pair(pairs, "sentence_pairs")], True
    if not isinstance(pairs, list | tuple):
        raise InputTypeError(f"sentence_pairs is {described(pairs)}; expected {expected}")
    return [_pair(pair, f"sentence_pairs[{place}]") for place, pair in enumerate(pairs)], False


def _pair(pair: Any, where: str) -> tuple[str, str]:
    if not isinstance(pair, list | tuple):
        raise InputTypeError(f"{where} is {described(pair)}; expected a pair (query, passage) of str")
    if len(pair) != 2:
        raise InputError(f"{where} is a {type(pair).__name__} of {len(pair)}; expected a pair (query, passage) of str")
    return check_text(pair[0], f"{where}[0]"), check_text(pair[1], f"{where}[1]")


def checked_weights(weights: Sequence[float] | None) -> tuple[float, float, float]:
    """The weights of dense, sparse and colbert scores; raises OptionError unless they are three with a sum."""
    if weights is None:
        return 1.0, 1.0, 1.0
    given = list(weights) if isinstance(weights, Sequence) else []
    numbers = [value for value in given if isinstance(value, int | float) and math.isfinite(value)]
    if len(numbers) != 3 or len(given) != 3 or not sum(numbers):
        raise OptionError(
            f"weights_for_different_modes is {weights!r}; expected three numbers, those of dense, sparse and colbert "
            "scores, whose sum is not 0"
        )
    dense, sparse, colbert = map(float, numbers)
    return dense, sparse, colbert


def scores_of(
    queries: Sequence[OfText], passages: Sequence[OfText], weights: tuple[float, float, float]
) -> dict[str, Floats]:
    """The scores (pairs,) float32 of each query with its passage by every head, and their means with ``weights``."""
    pairs = list(zip(queries, passages, strict=True))
    colbert = np.array([_colbert(query.colbert, passage.colbert) for query, passage in pairs], dtype=np.float32)
    sparse = np.array([lexical_score(query.lexical, passage.lexical) for query, passage in pairs], dtype=np.float32)
    dense = np.array([np.dot(query.dense, passage.dense) for query, passage in pairs], dtype=np.float32)
    d, s, c = weights
    both = sparse * s + dense * d
    with np.errstate(invalid="ignore", divide="ignore"):  # as there, it is no number where these two have no weight
        mean_of_two = np.divide(both, d + s, dtype=np.float32)
    return {
        "colbert": colbert,
        "sparse": sparse,
        "dense": dense,
        "sparse+dense": mean_of_two,
        "colbert+sparse+dense": np.divide(colbert * c + both, d + s + c, dtype=np.float32),
    }


def lexical_score(one: Mapping[str, Any], other: Mapping[str, Any]) -> Any:
    """The sum of the products of the weights of the ids that both have."""
    return sum((weight * other[token] for token, weight in one.items() if token in other), 0)


def _colbert(query: Floats, passage: Floats) -> Any:
    """The mean over the query's vectors of the largest product with one of the passage's; NaN without vectors."""
    if not len(query) or not len(passage):
        return np.nan
    return (query @ passage.T).max(axis=1).sum() / np.float32(len(query))
