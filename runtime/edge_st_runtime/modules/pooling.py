"""Pooling: token embeddings (batch, tokens, hidden) → one vector a text (batch, hidden).

Source: sentence-transformers' Pooling module. Every function takes the token embeddings, the mask of the tokens that
count, the mask of all the text's own tokens, which counts a prompt's too, and the sum of the tokens' weights (batch,)
where WordWeights gave them some, which takes the place of their number.
"""

from collections.abc import Callable

import numpy as np

from ..arrays import Floats, Mask

_FEW_TOKENS = 2048
Pool = Callable[[Floats, Mask, Mask, Floats | None], Floats]


def cls(tokens: Floats, mask: Mask, _own: Mask, _weights: Floats | None = None) -> Floats:
    """The first token that counts; position 0 where none does."""
    return tokens[np.arange(len(tokens)), mask.argmax(axis=1)]


def lasttoken(tokens: Floats, mask: Mask, _own: Mask, _weights: Floats | None = None) -> Floats:
    """The last token that counts; zeros where none does."""
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    rows = np.arange(len(tokens))
    return tokens[rows, last] * mask[rows, last][:, None].astype(np.float32)


def maximum(tokens: Floats, mask: Mask, _own: Mask, _weights: Floats | None = None) -> Floats:
    """The largest value of each dimension; minus infinity where no token counts."""
    return np.max(tokens, axis=1, initial=-np.inf, where=mask[:, :, None].astype(bool))


def mean(tokens: Floats, mask: Mask, _own: Mask, weights: Floats | None = None) -> Floats:
    """The average; zeros where no token counts."""
    return _weighted_sum(tokens, mask) / _total(mask, weights)


def mean_sqrt_len_tokens(tokens: Floats, mask: Mask, _own: Mask, weights: Floats | None = None) -> Floats:
    """The sum over the square root of the number of tokens."""
    root: Floats = np.sqrt(_total(mask, weights))
    return _weighted_sum(tokens, mask) / root


def weightedmean(tokens: Floats, mask: Mask, own: Mask, weights: Floats | None = None) -> Floats:
    """The average weighted by the position in the text, counted from 1 (SGPT); padding on the left moves nothing."""
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


def without_prompt(mask: Mask, prompt_length: int) -> Mask:
    """The mask (batch, tokens) with each text's first ``prompt_length`` attended tokens left out."""
    return mask * (np.cumsum(mask, axis=1) > prompt_length)


def _weighted_sum(tokens: Floats, weights: Mask) -> Floats:
    # einsum, not matmul: BLAS would wake its own threads beside the engine's. It adds one by one, which float32 bears
    # for some thousand tokens only.
    if tokens.shape[1] > _FEW_TOKENS:
        return np.einsum("bl,blh->bh", weights, tokens, dtype=np.float64).astype(np.float32)
    return np.einsum("bl,blh->bh", weights.astype(np.float32), tokens)


def _total(counts: Mask, weights: Floats | None) -> Floats:
    """What a sum is divided by (batch, 1), never zero."""
    total = counts.sum(axis=1) if weights is None else weights
    return np.maximum(total, 1e-9).astype(np.float32)[:, None]
