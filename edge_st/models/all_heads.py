"""What all heads of a graph give, as the output of a call."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.engines.signature import SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS, TOKEN_WEIGHTS
from edge_st_runtime.model.repeats import Distinct
from edge_st_runtime.modules.specs import Features

from .outputs import Advance, Batches, Output, joined_values

#: the weight of each token id, as text: a float32
Lexical: TypeAlias = dict[str, Any]
_NOTHING: Floats = np.empty(0, dtype=np.float32)


class OfText(NamedTuple):
    """What the heads give for a text; what was not asked for is empty.

    ``dense`` is (dim,) float32, ``colbert`` (tokens, dim) float32 without the first token.
    """

    dense: Floats
    lexical: Lexical
    colbert: Floats


@dataclass(frozen=True)
class AllHeads(Output):
    """An `OfText` for each text, with what is asked for; the ids ``skipped`` have no weight."""

    checked: ClassVar[tuple[str, ...]] = (SENTENCE_EMBEDDING, TOKEN_WEIGHTS, TOKEN_EMBEDDINGS)
    dense: bool
    sparse: bool
    colbert: bool
    skipped: tuple[int, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The graph's outputs of the heads that are asked."""
        asked = {SENTENCE_EMBEDDING: self.dense, TOKEN_WEIGHTS: self.sparse, TOKEN_EMBEDDINGS: self.colbert}
        return tuple(name for name, wanted in asked.items() if wanted)

    def select(self, features: Features) -> list[OfText]:
        """Those of a batch."""
        own = features["attention_mask"].astype(bool)
        return [self._of_text(features, row, mask) for row, mask in enumerate(own)]

    def _of_text(self, features: Features, row: int, own: Any) -> OfText:
        ids = features["input_ids"][row][own]
        return OfText(
            features[SENTENCE_EMBEDDING][row].copy() if self.dense else _NOTHING,
            lexical_weights(ids.tolist(), features[TOKEN_WEIGHTS][row][own], self.skipped) if self.sparse else {},
            features[TOKEN_EMBEDDINGS][row][own][1:].copy() if self.colbert else _NOTHING,
        )

    def gather(self, batches: Batches, distinct: Distinct, advance: Advance) -> list[OfText]:
        """Those of all texts."""
        return joined_values(batches, distinct, advance)

    def empty(self, width: int) -> list[OfText]:  # noqa: ARG002 - a list has no width
        """[]."""
        return []


def lexical_weights(ids: Sequence[int], weights: Floats, skipped: Sequence[int]) -> Lexical:
    """The largest of the ``weights`` (tokens,) of each of the token ``ids``, by the id as text.

    Those of ``skipped`` ids, and weights that are not positive, are left out.
    Source: FlagEmbedding's M3Embedder.encode_single_device.
    """
    found: Lexical = defaultdict(int)  # it has 0 for other ids, as there
    for token, weight in zip(map(str, ids), weights, strict=True):
        if int(token) not in skipped and weight > found.get(token, 0):
            found[token] = weight
    return found
