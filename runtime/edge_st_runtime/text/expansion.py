"""Queries that are filled up with a token which is scored like their own, as ColBERT does."""

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import TokenBatch


@dataclass(frozen=True)
class QueryExpansion:
    """Queries are filled up to ``length`` tokens with the token ``token_id``; a ``fixed`` expansion also cuts them.

    Where the transformer shall ``attend`` to the filling, it counts as text for it; otherwise it is computed, but no
    other token sees it. Source: sentence-transformers' QueryExpansionConfig.
    """

    length: int
    token_id: int
    attend: bool = False
    fixed: bool = True

    def __call__(self, batch: TokenBatch) -> TokenBatch:
        """``batch`` with the expansion in place of its padding; it is padded on the right, to ``length`` at least."""
        filled = (batch.attention_mask == 0) & (np.arange(batch.shape[1]) < self.length)
        mask = batch.attention_mask
        return replace(
            batch,
            input_ids=np.where(filled, self.token_id, batch.input_ids),
            attention_mask=np.where(filled, 1, mask) if self.attend else mask,
            expansion=filled,
        )
