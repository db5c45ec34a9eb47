"""Pooling: token embeddings (batch, tokens, hidden) → one vector for each text (batch, hidden).

Every function takes the token embeddings and two masks (batch, tokens). The first marks the tokens that are pooled.
The second marks all tokens of the text, including those of a prompt that is not pooled. Where the model has
WordWeights, the last argument is the sum of the tokens' weights (batch,), and it takes the place of their number.
Source: sentence-transformers' Pooling module.
"""

from collections.abc import Callable

import numpy as np

from ..arrays import Floats, Mask

_FEW_TOKENS = 2048
Pool = Callable[[Floats, Mask, Mask, Floats | None], Floats]


def cls(tokens: Floats, mask: Mask, _own: Mask, _weights: Floats | None = None) -> Floats:
    """The first pooled token; the token at position 0 if none is pooled."""
    return tokens[np.arange(len(tokens)), mask.argmax(axis=1)]


def lasttoken(tokens: Floats, mask: Mask, _own: Mask, _weights: Floats | None = None) -> Floats:
    """The last pooled token; zeros if none is pooled."""
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    rows = np.arange(len(tokens))
    return tokens[rows, last] * mask[rows, last][:, None].astype(np.float32)


def maximum(tokens: Floats, mask: Mask, _own: Mask, _weights: Floats | None = None) -> Floats:
    """The largest value of each dimension; zeros if no token is pooled."""
    found = np.max(tokens, axis=1, initial=-np.inf, where=mask[:, :, None].astype(bool))
    return np.where(mask.sum(axis=1, keepdims=True) > 0, found, np.float32(0))


def mean(tokens: Floats, mask: Mask, _own: Mask, weights: Floats | None = None) -> Floats:
    """The mean; zeros if no token is pooled."""
    return _weighted_sum(tokens, mask) / _total(mask, weights)


def mean_sqrt_len_tokens(tokens: Floats, mask: Mask, _own: Mask, weights: Floats | None = None) -> Floats:
    """The sum, divided by the square root of the number of tokens."""
    root: Floats = np.sqrt(_total(mask, weights))
    return _weighted_sum(tokens, mask) / root


def weightedmean(tokens: Floats, mask: Mask, own: Mask, weights: Floats | None = None) -> Floats:
    """The mean weighted by position (SGPT): a text's first token has position 1, wherever the padding is."""
    places = mask * np.cumsum(own, axis=1)
    return _weighted_sum(tokens, places) / _total(places, weights)


POOLING: dict[str, Pool] = {
    "cls": cls,
    "max": maximum,
    "mean": mean,
    "mean_sqrt_len_tokens": mean_sqrt_len_tokens,
    "weightedmean": weightedmean,
    "lasttoken": lasttoken,
}


def shares(mode: str, mask: Mask, own: Mask) -> Floats:
    """The share of each token (batch, tokens) in the vector that ``mode`` gives, for an engine that pools by itself.

    For "cls" and "lasttoken" it is 1 for the token that is taken, for "max" 1 for every token that takes part.
    """
    if mode in ("cls", "lasttoken"):
        last = mode == "lasttoken"
        place = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1) if last else mask.argmax(axis=1)
        chosen = np.arange(mask.shape[1]) == place[:, None]
        return (chosen * mask if last else chosen).astype(np.float32)
    if mode == "weightedmean":
        mask = mask * np.cumsum(own, axis=1)
    total = np.float32(1) if mode == "max" else _total(mask, None)
    return mask.astype(np.float32) / (np.sqrt(total) if mode == "mean_sqrt_len_tokens" else total)


def without_prompt(mask: Mask, prompt_length: int) -> Mask:
    """The mask (batch, tokens) without the first ``prompt_length`` tokens of each text."""
    return mask * (np.cumsum(mask, axis=1) > prompt_length)


def _weighted_sum(tokens: Floats, weights: Mask) -> Floats:
    # einsum instead of matmul, because BLAS would start threads beside the engine's. It adds the tokens one by one, so
    # for more than a few thousand of them float32 is not precise enough.
    if tokens.shape[1] > _FEW_TOKENS:
        return np.einsum("bl,blh->bh", weights, tokens, dtype=np.float64).astype(np.float32)
    return np.einsum("bl,blh->bh", weights.astype(np.float32), tokens)


def _total(counts: Mask, weights: Floats | None) -> Floats:
    """The divisor (batch, 1) of a sum, never zero."""
    total = counts.sum(axis=1) if weights is None else weights
    return np.maximum(total, 1e-9).astype(np.float32)[:, None]
