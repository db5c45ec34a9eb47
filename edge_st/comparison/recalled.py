"""Models that give outputs computed before, in the form that evaluators ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.classes import CROSS_ENCODER, SPARSE_ENCODER
from edge_st_runtime.vectors import similarity, sparse_similarity
from edge_st_runtime.vectors.dense import dequantize, normalize, quantize, value_ranges
from edge_st_runtime.vectors.similarity import SimilarityFunction, SimilarityFunctions
from edge_st_runtime.vectors.sparse import SparseMatrix

from ..models.model_card import ModelCardData
from ..models.sparse_encoder import SparseEncoder
from .cache import Outputs
from .jobs import Job, Pair, Side


@dataclass(frozen=True)
class Described:
    """How a model was run: what the table says of it, and what evaluators ask."""

    model_type: str
    engine: str
    dtype: str
    identity: str
    similarity_fn_name: str
    dimension: int | None
    num_labels: int


class Recalled:
    """A model's outputs by text or pair, for each side."""

    def __init__(self, described: Described, outputs: Mapping[Side, tuple[Job, Outputs]]) -> None:
        self.described = described
        self.model_card_data = ModelCardData()
        self.jobs = {side: job for side, (job, _) in outputs.items()}
        self._outputs = {side: found for side, (_, found) in outputs.items()}
        self._places = {
            side: {text: place for place, text in enumerate(job.texts)} for side, (job, _) in outputs.items()
        }

    def _rows(self, side: Side, texts: Sequence[str | Pair]) -> NDArray[np.int64]:
        places = self._places[side]
        return np.array([places[text] for text in texts], dtype=np.int64)


class RecalledCrossEncoder(Recalled):
    """The scores of pairs by a model of one label."""

    sparse = False
    num_labels = 1

    def predict(self, inputs: Sequence[Sequence[str]], **_: Any) -> Floats:
        """Scores (n,) of pairs."""
        rows = self._rows("pair", [(pair[0], pair[1]) for pair in inputs])
        return np.asarray(self._outputs["pair"])[rows]


class RecalledEncoder(Recalled):
    """Embeddings, cut to ``truncate_dim`` and, but for queries, kept in ``precision``."""

    sparse = False
    _similarities: ClassVar[SimilarityFunctions] = similarity.FUNCTIONS

    def __init__(
        self,
        described: Described,
        outputs: Mapping[Side, tuple[Job, Outputs]],
        truncate_dim: int | None = None,
        precision: str = "float32",
    ) -> None:
        super().__init__(described, outputs)
        self.truncate_dim, self.precision = truncate_dim, precision
        self._kept: dict[Side, Outputs] = {}

    def encode(
        self, inputs: Sequence[str], precision: str | None = None, normalize_embeddings: bool = False, **_: Any
    ) -> Any:
        """Embeddings (n, dim) of texts that are neither queries nor documents; ``precision`` is that of this call."""
        if precision is None and not normalize_embeddings:
            return self._recall("text", inputs)
        found = self._cut("text")[self._rows("text", inputs)]
        return quantize(normalize(found) if normalize_embeddings else found, precision or "float32")

    def encode_query(self, inputs: Sequence[str], **_: Any) -> Any:
        """Embeddings (n, dim) of queries, in float32."""
        return self._cut("query")[self._rows("query", inputs)]

    def encode_document(self, inputs: Sequence[str], **_: Any) -> Any:
        """Embeddings (n, dim) of documents, in float32 as their precision left them."""
        return self._recall("document", inputs)

    def _recall(self, side: Side, texts: Sequence[str]) -> Any:
        if side not in self._kept:
            self._kept[side] = as_kept(self._cut(side), self.precision)
        return self._kept[side][self._rows(side, texts)]

    def _cut(self, side: Side) -> Any:
        found = self._outputs[side]
        return found if self.truncate_dim is None else np.asarray(found)[:, : self.truncate_dim]

    @property
    def quantized(self) -> bool:
        """Whether the embeddings are kept in less than float32."""
        return self.precision != "float32"

    @property
    def similarity_fn_name(self) -> str:
        """The name of the function that compares embeddings."""
        return self.described.similarity_fn_name

    def similarity(self, embeddings1: Any, embeddings2: Any) -> NDArray[Any]:
        """Scores (n, m) of every pair from (n, dim) and (m, dim)."""
        return self._similarities[SimilarityFunction(self.similarity_fn_name)][0](embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> NDArray[Any]:
        """Scores (n,) of ``embeddings1[i]`` with ``embeddings2[i]``."""
        return self._similarities[SimilarityFunction(self.similarity_fn_name)][1](embeddings1, embeddings2)

    @property
    def dimension(self) -> int | None:
        """Width of the embeddings."""
        width = self.described.dimension
        return width if self.truncate_dim is None or width is None else min(width, self.truncate_dim)

    @property
    def vector_bytes(self) -> float:
        """What an embedding takes, on average, in bytes."""
        width = self.dimension or 0
        return {"float32": 4 * width, "int8": width, "uint8": width}.get(self.precision, -(-width // 8))


class RecalledSparseEncoder(RecalledEncoder):
    """Sparse embeddings."""

    sparse = True
    _similarities = sparse_similarity.FUNCTIONS
    sparsity = staticmethod(SparseEncoder.sparsity)

    @property
    def vector_bytes(self) -> float:
        """What an embedding takes, on average, in bytes: an index and a value for each dimension that is not 0."""
        found = self._outputs.get("document", self._outputs.get("text"))
        assert isinstance(found, SparseMatrix)
        return 8 * found.nnz / len(found)


def recalled(
    described: Described,
    outputs: Mapping[Side, tuple[Job, Outputs]],
    truncate_dim: int | None = None,
    precision: str = "float32",
) -> Recalled:
    """The model that ``described`` says, with these outputs."""
    if described.model_type == CROSS_ENCODER:
        return RecalledCrossEncoder(described, outputs)
    kind = RecalledSparseEncoder if described.model_type == SPARSE_ENCODER else RecalledEncoder
    return kind(described, outputs, truncate_dim, precision)


def as_kept(vectors: Outputs, precision: str) -> Outputs:
    """Embeddings as an index of this precision knows them, in float32: normalized, quantized, and back again.

    A bit stands for -1 or 1, a code for the middle of its step.
    """
    if precision == "float32" or isinstance(vectors, SparseMatrix):
        return vectors
    unit = normalize(vectors)
    ranges = value_ranges(unit)
    return dequantize(quantize(unit, precision, ranges), precision, ranges)
