"""Models that answer evaluators with outputs computed before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.classes import CROSS_ENCODER, MULTI_VECTOR_ENCODER, SPARSE_ENCODER
from edge_st_runtime.vectors import similarity, sparse_similarity
from edge_st_runtime.vectors.dense import dequantize, normalize, quantize, value_ranges
from edge_st_runtime.vectors.similarity import SimilarityFunction, SimilarityFunctions
from edge_st_runtime.vectors.sparse import SparseMatrix

from ..evaluation.embeddings import DENSE, MULTI_VECTOR, SPARSE, taken
from ..models.model_card import ModelCardData
from ..models.sparse_encoder import SparseEncoder
from .cache import Outputs
from .inputs import Inputs, Side
from .random_pairs import Pair


@dataclass(frozen=True)
class ModelDescription:
    """A model as it was run: what tables say of it, and what evaluators ask of it.

    ``identity`` tells it from every other model, engine, dtype and machine.
    """

    model_type: str
    engine: str
    dtype: str
    identity: str
    similarity_fn_name: str
    dimension: int | None
    num_labels: int


class CachedModel:
    """A model that looks its outputs up, by the side and the text or pair.

    ``kind`` is that of its embeddings.
    """

    kind: ClassVar[str] = DENSE

    def __init__(self, description: ModelDescription, outputs: Mapping[Side, tuple[Inputs, Outputs]]) -> None:
        self.description = description
        self.model_card_data = ModelCardData()
        self.inputs = {side: inputs for side, (inputs, _) in outputs.items()}
        self._outputs = {side: found for side, (_, found) in outputs.items()}
        self._places = {
            side: {text: place for place, text in enumerate(inputs.texts)} for side, (inputs, _) in outputs.items()
        }

    def _rows(self, side: Side, texts: Sequence[str | Pair]) -> NDArray[np.int64]:
        places = self._places[side]
        return np.array([places[text] for text in texts], dtype=np.int64)


class CachedCrossEncoder(CachedModel):
    """A cross-encoder with one label."""

    num_labels = 1

    def predict(self, inputs: Sequence[Sequence[str]], **_: Any) -> Floats:
        """Scores (n,) of pairs."""
        rows = self._rows("pair", [(pair[0], pair[1]) for pair in inputs])
        return np.asarray(self._outputs["pair"])[rows]


class CachedEncoder(CachedModel):
    """A dense encoder whose embeddings are truncated to ``truncate_dim``; all but queries are kept in ``precision``."""

    _similarities: ClassVar[SimilarityFunctions] = similarity.FUNCTIONS

    def __init__(
        self,
        description: ModelDescription,
        outputs: Mapping[Side, tuple[Inputs, Outputs]],
        truncate_dim: int | None = None,
        precision: str = "float32",
    ) -> None:
        super().__init__(description, outputs)
        self.truncate_dim, self.precision = truncate_dim, precision
        self._stored: dict[Side, Outputs] = {}

    def encode(
        self, inputs: Sequence[str], precision: str | None = None, normalize_embeddings: bool = False, **_: Any
    ) -> Any:
        """Embeddings (n, dim) of texts that are neither queries nor documents.

        ``precision`` and ``normalize_embeddings`` hold for this call, as in `SentenceTransformer.encode`.
        """
        if precision is None and not normalize_embeddings:
            return self._look_up("text", inputs)
        found = self._truncated("text")[self._rows("text", inputs)]
        return quantize(normalize(found) if normalize_embeddings else found, precision or "float32")

    def encode_query(self, inputs: Sequence[str], **_: Any) -> Any:
        """Embeddings (n, dim) of queries, in float32."""
        return taken(self._truncated("query"), self._rows("query", inputs))

    def encode_document(self, inputs: Sequence[str], **_: Any) -> Any:
        """Embeddings (n, dim) of documents: float32 values as `as_stored` gives them."""
        return self._look_up("document", inputs)

    def _look_up(self, side: Side, texts: Sequence[str]) -> Any:
        if side not in self._stored:
            self._stored[side] = as_stored(self._truncated(side), self.precision)
        return taken(self._stored[side], self._rows(side, texts))

    def _truncated(self, side: Side) -> Any:
        found = self._outputs[side]
        return found if self.truncate_dim is None else np.asarray(found)[:, : self.truncate_dim]

    @property
    def quantized(self) -> bool:
        """Whether the embeddings are kept in another precision than float32."""
        return self.precision != "float32"

    @property
    def similarity_fn_name(self) -> str:
        """The name of the function that compares embeddings."""
        return self.description.similarity_fn_name

    def similarity(self, embeddings1: Any, embeddings2: Any) -> NDArray[Any]:
        """Scores (n, m) of every pair from (n, dim) and (m, dim)."""
        return self._similarities[SimilarityFunction(self.similarity_fn_name)][0](embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> NDArray[Any]:
        """Scores (n,) of ``embeddings1[i]`` with ``embeddings2[i]``."""
        return self._similarities[SimilarityFunction(self.similarity_fn_name)][1](embeddings1, embeddings2)

    @property
    def dimension(self) -> int | None:
        """Width of the embeddings."""
        width = self.description.dimension
        return width if self.truncate_dim is None or width is None else min(width, self.truncate_dim)

    @property
    def vector_bytes(self) -> float:
        """Bytes of an embedding, on average."""
        width = self.dimension or 0
        return {"float32": 4 * width, "int8": width, "uint8": width}.get(self.precision, -(-width // 8))


class CachedSparseEncoder(CachedEncoder):
    """A sparse encoder."""

    kind = SPARSE
    _similarities = sparse_similarity.FUNCTIONS
    sparsity = staticmethod(SparseEncoder.sparsity)

    @property
    def vector_bytes(self) -> float:
        """Bytes of an embedding, on average: four each for the index and the value of every dimension that is not 0."""
        found = self._outputs.get("document", self._outputs.get("text"))
        assert isinstance(found, SparseMatrix)
        return 8 * found.nnz / len(found)


class CachedMultiVectorEncoder(CachedEncoder):
    """A multi-vector encoder, whose embeddings are a list of token vectors (tokens, dim)."""

    kind = MULTI_VECTOR
    _similarities = similarity.TOKEN_FUNCTIONS
    prompts: ClassVar[Mapping[str, str]] = {}

    @property
    def vector_bytes(self) -> float:
        """Bytes of a document's token vectors, on average."""
        found: Any = self._outputs["document"]
        return 4 * (self.dimension or 0) * sum(map(len, found)) / len(found)


def cached_model(
    description: ModelDescription,
    outputs: Mapping[Side, tuple[Inputs, Outputs]],
    truncate_dim: int | None = None,
    precision: str = "float32",
) -> CachedModel:
    """The model of this description, with these outputs."""
    if description.model_type == CROSS_ENCODER:
        return CachedCrossEncoder(description, outputs)
    kind = _ENCODERS.get(description.model_type, CachedEncoder)
    return kind(description, outputs, truncate_dim, precision)


_ENCODERS: Mapping[str, type[CachedEncoder]] = {
    SPARSE_ENCODER: CachedSparseEncoder,
    MULTI_VECTOR_ENCODER: CachedMultiVectorEncoder,
}


def as_stored(vectors: Outputs, precision: str) -> Outputs:
    """Embeddings (n, dim) as an index of this precision holds them: normalized, quantized, and back in float32.

    A bit becomes -1 or 1, an int8 or uint8 code the middle of its step. float32, sparse ones and token vectors stay as
    they are.
    """
    if precision == "float32" or isinstance(vectors, SparseMatrix | list):
        return vectors
    unit = normalize(vectors)
    ranges = value_ranges(unit)
    return dequantize(quantize(unit, precision, ranges), precision, ranges)
