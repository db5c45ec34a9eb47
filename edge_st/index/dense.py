"""Dense vectors as the kind of vectors of an index."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_st_runtime.arrays import Floats, Ids
from edge_st_runtime.checks import described
from edge_st_runtime.errors import InputTypeError
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.dense.layout import DenseVectors
from edge_st_runtime.store.dense.snapshot import VectorSnapshot
from edge_st_runtime.store.rows.snapshot import SearchOptions
from edge_st_runtime.vectors.dense import as_array, normalize
from edge_st_runtime.vectors.similarity import SimilarityFunction, parse_similarity

from ..models.encoder import Encoder
from ..models.sentence_transformer import SentenceTransformer
from .embeddings import check_embeddings, check_width
from .settings import check_precision


class Dense:
    """A vector (dim,) for each row or query; several are an array (n, dim) float32. See `VectorKind`."""

    model: type[SentenceTransformer] = SentenceTransformer
    store: type[VectorIndex] = VectorIndex
    portion: int = 65_536

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Raise OptionError as `check_precision` does."""
        check_precision(settings["precision"], settings["rescore"], settings["similarity"])

    def similarity(self, model: Encoder | None) -> str:
        """The model's own; cosine without a model."""
        return SimilarityFunction.COSINE.value if model is None else model.similarity_fn_name

    def checked(self, embeddings: Any, name: str = "embeddings") -> Floats:
        """``embeddings`` (n, dim) as float32; raises what `check_embeddings` raises."""
        return check_embeddings(embeddings, name)

    def dim(self, vectors: Floats) -> int:
        """The width of the array."""
        return vectors.shape[1]

    def check_dim(self, vectors: Floats, dim: int) -> None:
        """Raise InputError unless the array is ``dim`` wide."""
        check_width(vectors.shape[1], dim)

    def documents(self, model: Encoder, texts: Sequence[str], dim: int) -> Floats:
        """Embeddings (texts, dim)."""
        found: Floats = model.encode_document(texts, truncate_dim=dim, show_progress_bar=False)
        return found

    def queries(self, model: Encoder, texts: Sequence[str], dim: int) -> Floats:
        """Embeddings (texts, dim)."""
        found: Floats = model.encode_query(texts, truncate_dim=dim)
        return found

    def given_queries(self, query: Any, dim: int) -> tuple[Floats, bool]:
        """An embedding (dim,), or several (n, dim)."""
        if isinstance(query, list | tuple) and not query:
            return np.empty((0, dim), dtype=np.float32), False
        array = as_array(query, "query")
        if array.dtype.kind not in "fiu":
            raise InputTypeError(f"query is {described(query)}; expected a text or an embedding, or a list of these")
        is_single = array.ndim == 1
        return check_embeddings(array[None] if is_single else array, "query"), is_single

    def stored(self, snapshot: VectorSnapshot, vectors: Floats) -> DenseVectors:
        """The codes of ``vectors``, which are normalized for the cosine."""
        return snapshot.layout.encode(_scaled(vectors, snapshot.settings))

    def search(
        self, snapshot: VectorSnapshot, queries: Floats, top_k: int, wanted: SearchOptions
    ) -> tuple[Floats, Ids]:
        """As `VectorSnapshot.search`, by the index's similarity: the dot product for the cosine."""
        similarity = parse_similarity(snapshot.settings["similarity"])
        if similarity == SimilarityFunction.COSINE:
            similarity = SimilarityFunction.DOT_PRODUCT
        return snapshot.search(_scaled(queries, snapshot.settings), top_k, similarity, wanted)


def _scaled(vectors: Floats, settings: Mapping[str, Any]) -> Floats:
    """Vectors (n, dim) as an index with these settings stores and compares them: normalized for the cosine."""
    return normalize(vectors) if settings["similarity"] == SimilarityFunction.COSINE.value else vectors
