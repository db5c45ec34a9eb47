"""The search methods of a `Retriever`: dense, multi-vector, sparse and keyword search.

Passages are first encoded by every method and then added, so that a failure adds nothing. They are known by their
position.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.search.best import NO_ROW, Best
from edge_st_runtime.store.sparse.bm25 import BM25
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from edge_st_runtime.vectors.similarity import SimilarityFunction, dot_score
from edge_st_runtime.vectors.sparse import SparseMatrix

from ..models.multi_vector_encoder import MultiVectorEncoder
from ..models.sentence_transformer import SentenceTransformer
from ..models.sparse_encoder import SparseEncoder
from ..util import semantic_search

Ranking = list[dict[str, Any]]


class SearchMethod(Protocol):
    """One way to find passages."""

    def encode(self, texts: Sequence[str], show_progress_bar: bool | None) -> Any:
        """``texts`` in the form that `add` takes; changes nothing."""
        ...

    def add(self, encoded: Any) -> None:
        """Append all passages in ``encoded``; if it raises, none."""
        ...

    def search(self, query: str, top_k: int) -> Ranking:
        """The ``top_k`` best ``{"corpus_id": position, "score": float}``, best first; needs a passage at least."""
        ...


class DenseSearch:
    """Search by dense embeddings and the model's similarity; for cosine they are normalized when they are encoded."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self._normalizes = model.similarity_fn_name == SimilarityFunction.COSINE.value
        self._blocks: list[Floats] = []

    def encode(self, texts: Sequence[str], show_progress_bar: bool | None) -> Floats:
        """Embeddings (texts, dim) float32; raises InputError where dim has changed since the last passages."""
        vectors: Floats = self._model.encode_document(
            texts, show_progress_bar=show_progress_bar, normalize_embeddings=self._normalizes
        )
        if self._blocks and vectors.shape[1] != self._blocks[0].shape[1]:
            raise InputError(
                f"the dense model gives {vectors.shape[1]} dimensions, before it gave {self._blocks[0].shape[1]}; "
                "set truncate_dim as it was, or make a new Retriever"
            )
        return vectors

    def add(self, encoded: Floats) -> None:
        """Append embeddings; never fails."""
        self._blocks.append(encoded)

    def search(self, query: str, top_k: int) -> Ranking:
        """As `SearchMethod.search`; first joins the embeddings that were added since the last search."""
        blocks = self._blocks
        if len(blocks) > 1:
            blocks = self._blocks = [np.concatenate(blocks)]
        vector: NDArray[Any] = self._model.encode_query(query, normalize_embeddings=self._normalizes)
        score = dot_score if self._normalizes else self._model.similarity
        return semantic_search(vector, blocks[0], top_k=top_k, score_function=score)[0]


class MultiVectorSearch:
    """Search by token vectors and the model's MaxSim."""

    def __init__(self, model: MultiVectorEncoder) -> None:
        self._model = model
        self._vectors: list[Floats] = []
        #: the passages that ``_vectors`` are of: those with a token that is not skipped
        self._positions: list[int] = []
        self._count = 0

    def encode(self, texts: Sequence[str], show_progress_bar: bool | None) -> list[Floats]:
        """Token vectors (tokens, dim) float32 of each text."""
        found: list[Floats] = self._model.encode_document(texts, show_progress_bar=show_progress_bar)
        return found

    def add(self, encoded: list[Floats]) -> None:
        """Append token vectors; never fails."""
        for place, vectors in enumerate(encoded, self._count):
            if len(vectors):
                self._vectors.append(vectors)
                self._positions.append(place)
        self._count += len(encoded)

    def search(self, query: str, top_k: int) -> Ranking:
        """As `SearchMethod.search`; a query or passage of skipped tokens alone finds nothing and is not found."""
        vectors = self._model.encode_query(query)
        if not len(vectors) or not self._vectors:
            return []
        best = Best(1, top_k)
        best.offer(self._model.similarity([vectors], self._vectors), 0)
        (scores,), (places,) = best.ranked()
        ranked = zip(places.tolist(), scores.tolist(), strict=True)
        return [{"corpus_id": self._positions[place], "score": score} for place, score in ranked if place != NO_ROW]


class SparseSearch:
    """Search by sparse embeddings and their dot product; raises OptionError for a model with another similarity."""

    def __init__(self, model: SparseEncoder) -> None:
        if model.similarity_fn_name != SimilarityFunction.DOT_PRODUCT.value:
            raise OptionError(
                f"sparse compares by {model.similarity_fn_name}, but sparse embeddings are searched by dot product; "
                "open it with SparseEncoder(name, similarity_fn_name='dot')"
            )
        self._model = model
        self._index = InvertedIndex(model.get_embedding_dimension())

    def encode(self, texts: Sequence[str], show_progress_bar: bool | None) -> SparseMatrix:
        """Embeddings (texts, dim)."""
        return self._model.encode_document(texts, show_progress_bar=show_progress_bar)

    def add(self, encoded: SparseMatrix) -> None:
        """Append embeddings; raises InputError for NaN and infinity."""
        self._index.add(encoded)

    def search(self, query: str, top_k: int) -> Ranking:
        """As `SearchMethod.search`; a passage that shares no dimension with the query is not found."""
        return _above_zero(*self._index.search(self._model.encode_query(query), top_k))


class KeywordSearch:
    """Search by the words of the query, with BM25; raises OptionError for an ``index`` that holds texts."""

    def __init__(self, index: BM25) -> None:
        if len(index):
            raise OptionError(f"sparse is a BM25 that holds {len(index)} texts already; give an empty one: BM25()")
        self._index = index

    def encode(self, texts: Sequence[str], show_progress_bar: bool | None) -> Sequence[str]:  # noqa: ARG002 - too fast for a bar
        """The texts as they are."""
        return texts

    def add(self, encoded: Sequence[str]) -> None:
        """Append texts; raises what the tokenizer of the index raises."""
        self._index.add(encoded)

    def search(self, query: str, top_k: int) -> Ranking:
        """As `SearchMethod.search`; a passage without any word of the query is not found."""
        return _above_zero(*self._index.search(query, top_k))


def _above_zero(scores: Floats, positions: NDArray[np.int64]) -> Ranking:
    """The ranking of one query, from (1, k) scores and positions, without passages that score 0 or less."""
    ranked = zip(positions[0].tolist(), scores[0].tolist(), strict=True)
    return [{"corpus_id": position, "score": score} for position, score in ranked if score > 0]
