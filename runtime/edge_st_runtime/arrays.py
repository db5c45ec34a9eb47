"""The types of the arrays that the runtime passes around."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Token ids of a batch, padded to its longest text.

    ``input_ids`` and ``attention_mask`` are (batch, tokens) int64; the mask is 1 for a text's tokens, 0 for padding.
    ``token_type_ids`` has the same shape, or is None where every token is of type 0. ``alone`` says that this is the
    only batch of its call, so that an engine may use all threads for it. ``urgent`` says that it does not wait until a
    thread is free: it is computed on its caller's own, where the engine can do that. ``expansion`` (batch, tokens) bool
    are the tokens that fill up queries; None where nothing does.
    """

    input_ids: Ids
    attention_mask: Mask
    token_type_ids: Ids | None = None
    alone: bool = False
    urgent: bool = False
    expansion: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(batch, tokens)."""
        rows, columns = self.input_ids.shape
        return rows, columns

    def features(self) -> dict[str, Any]:
        """The arrays, under the names that sentence-transformers gives them."""
        optional = {"token_type_ids": self.token_type_ids, "query_expansion_positions": self.expansion}
        given = {name: values for name, values in optional.items() if values is not None}
        return {"input_ids": self.input_ids, "attention_mask": self.attention_mask, **given}
