"""Sparse embeddings as the output of a call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.engines.signature import ACTIVE_INDICES, ACTIVE_VALUES, MAX_ACTIVE_DIMS, SENTENCE_EMBEDDING
from edge_st_runtime.model.repeats import Distinct
from edge_st_runtime.modules.specs import Features
from edge_st_runtime.vectors.sparse import SparseMatrix, SparseVector, select_max_active_dims

from .outputs import Advance, Batches, Output, joined_values


@dataclass(frozen=True)
class SparseEmbeddings(Output):
    """A SparseMatrix (texts, dim) with the ``max_active_dims`` largest values of each text; None keeps all."""

    max_active_dims: int | None = None

    @property
    def extra(self) -> Mapping[str, Any]:
        """The limit, which the graph may apply."""
        return {} if self.max_active_dims is None else {MAX_ACTIVE_DIMS: self.max_active_dims}

    def select(self, features: Features) -> list[SparseVector]:
        """The vectors of a batch."""
        if ACTIVE_VALUES in features:
            rows = zip(features[ACTIVE_INDICES], features[ACTIVE_VALUES], strict=True)
            return [_sparse_vector(indices, values, features["width"]) for indices, values in rows]
        dense = SparseMatrix.from_dense(features[SENTENCE_EMBEDDING])
        return list(select_max_active_dims(dense, self.max_active_dims))

    def gather(self, batches: Batches, distinct: Distinct, advance: Advance) -> SparseMatrix:
        """The vectors of all texts."""
        rows: list[SparseVector] = joined_values(batches, distinct, advance)
        return SparseMatrix.from_rows(rows, rows[0].dim)

    def empty(self, width: int) -> SparseMatrix:
        """(0, dim)."""
        return SparseMatrix.from_rows([], width)


def _sparse_vector(indices: NDArray[np.int64], values: NDArray[np.float32], dim: int) -> SparseVector:
    kept = np.flatnonzero(values)
    kept = kept[np.argsort(indices[kept])]
    return SparseVector(indices[kept].astype(np.int32), values[kept], dim)
