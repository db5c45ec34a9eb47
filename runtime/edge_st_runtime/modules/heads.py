"""The heads of a graph that gives several kinds of embeddings, and what comes after each, as in BGE-M3.

Source: FlagEmbedding's M3Embedder.
"""

from dataclasses import dataclass

import numpy as np

from ..engines.signature import (
    ACTIVE_INDICES,
    ACTIVE_VALUES,
    MAX_ACTIVE_DIMS,
    SENTENCE_EMBEDDING,
    TOKEN_EMBEDDINGS,
    TOKEN_WEIGHTS,
)
from .specs import Features, InGraph, Widths, checked_width


@dataclass(frozen=True)
class Head(InGraph):
    """A head of the graph; ``weights_sha256`` is a digest of its own weights, which the fingerprint counts."""

    weights_sha256: str = ""


@dataclass(frozen=True)
class LexicalWeights:
    """The weights of a text's tokens → a sparse embedding with ``dimension`` dimensions, one for each token id.

    An id has the largest of its weights in the text. The ids ``skipped``, special tokens, have none.
    """

    dimension: int
    skipped: tuple[int, ...]

    def __call__(self, features: Features) -> Features:
        """``active_indices`` and ``active_values`` (batch, tokens), where a value of 0 stands for nothing.

        The feature "max_active_dims", if it is there, is the number of values that are kept.
        """
        ids, weights = features["input_ids"], features[TOKEN_WEIGHTS]
        own = features["attention_mask"].astype(bool) & ~np.isin(ids, self.skipped) & ~(weights <= 0)
        values = np.where(own, weights, np.float32(0))
        order = np.lexsort((-np.nan_to_num(values, nan=np.inf), ids), axis=-1)
        ids, values = np.take_along_axis(ids, order, axis=1), np.take_along_axis(values, order, axis=1)
        repeated = np.zeros(ids.shape, dtype=bool)
        repeated[:, 1:] = ids[:, 1:] == ids[:, :-1]
        values = np.where(repeated, np.float32(0), values)
        most = min(features.get(MAX_ACTIVE_DIMS, ids.shape[1]), ids.shape[1])
        if most < ids.shape[1]:
            largest = np.argsort(-values, axis=1, kind="stable")[:, :most]
            ids, values = np.take_along_axis(ids, largest, axis=1), np.take_along_axis(values, largest, axis=1)
        return {**features, ACTIVE_INDICES: ids, ACTIVE_VALUES: values, "width": self.dimension}

    def widths(self, widths: Widths) -> Widths:
        """The number of token ids."""
        checked_width(self, widths, TOKEN_WEIGHTS)
        return {**widths, SENTENCE_EMBEDDING: self.dimension}


@dataclass(frozen=True)
class WithoutFirstToken:
    """Token embeddings without that of the first token, which stands for the whole text (CLS)."""

    def __call__(self, features: Features) -> Features:
        """Take the first token out of ``attention_mask``."""
        mask = features["attention_mask"].copy()
        mask[:, :1] = 0
        return {**features, "attention_mask": mask}

    def widths(self, widths: Widths) -> Widths:
        """Unchanged."""
        checked_width(self, widths, TOKEN_EMBEDDINGS)
        return widths
