"""The ways in which a `Retriever` finds passages: by dense vectors, by sparse ones, by words.

Each encodes passages without keeping them, adds what it encoded, and searches. Passages are known by their position.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.store.sparse.bm25 import BM25
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from edge_st_runtime.vectors.similarity import SimilarityFunction, dot_score
from edge_st_runtime.vectors.sparse import SparseMatrix

from ..models.sentence_transformer import SentenceTransformer
from ..models.sparse_encoder import SparseEncoder
from ..util import semantic_search

Ranking = list[dict[str, Any]]


class Way(Protocol):
    """What a Retriever asks of each; ``add`` takes all that ``encode`` gave, or raises and takes nothing."""

    def encode(self, texts: Sequence[str], show_progress_bar: bool | None) -> Any:
        """What `add` takes."""
        ...

    def add(self, encoded: Any) -> None:
        """Append passages."""
        ...

    def search(self, query: str, top_k: int) -> Ranking:
        """The best ``{"corpus_id": position, "score": float}``, best first; called where there are passages."""
        ...


class ByMeaning:
    """Dense vectors by the model's similarity; for cosine they are normalized once, when they are encoded."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self._normalizes = model.similarity_fn_name == SimilarityFunction.COSINE.value
        self._blocks: list[Floats] = []

    def encode(self, texts: Sequence[str], show_progress_bar: bool | None) -> Floats:
        """Vectors (texts, dim) float32; raises InputError where they are not as wide as those before."""
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
        """Append vectors; never fails."""
        self._blocks.append(encoded)

    def search(self, query: str, top_k: int) -> Ranking:
        """As `Way.search`. Blocks are joined by the first search after them: a copy costs less than the search."""
        blocks = self._blocks
        if len(blocks) > 1:
            blocks = self._blocks = [np.concatenate(blocks)]
        vector: NDArray[Any] = self._model.encode_query(query, normalize_embeddings=self._normalizes)
        score = dot_score if self._normalizes else self._model.similarity
        return semantic_search(vector, blocks[0], top_k=top_k, score_function=score)[0]


class BySparse:
    """Sparse vectors by their dot product. Raises OptionError for a model that compares by anything else."""

    def __init__(self, model: SparseEncoder) -> None:
        if model.similarity_fn_name != SimilarityFunction.DOT_PRODUCT.value:
            raise OptionError(
                f"sparse compares by {model.similarity_fn_name}, an index of sparse vectors by dot product; open it "
                "with SparseEncoder(name, similarity_fn_name='dot')"
            )
        self._model = model
        self._index = InvertedIndex(model.get_embedding_dimension())

    def encode(self, texts: Sequence[str], show_progress_bar: bool | None) -> SparseMatrix:
        """Vectors (texts, dim)."""
        return self._model.encode_document(texts, show_progress_bar=show_progress_bar)

    def add(self, encoded: SparseMatrix) -> None:
        """Append vectors; raises InputError for values that are not finite."""
        self._index.add(encoded)

    def search(self, query: str, top_k: int) -> Ranking:
        """As `Way.search`; a passage that shares nothing with the query is not found."""
        return _above_zero(*self._index.search(self._model.encode_query(query), top_k))


class ByWords:
    """Words by BM25. Raises OptionError for an index that holds texts already."""

    def __init__(self, index: BM25) -> None:
        if len(index):
            raise OptionError(f"sparse is a BM25 that holds {len(index)} texts already; give an empty one: BM25()")
        self._index = index

    def encode(self, texts: Sequence[str], show_progress_bar: bool | None) -> Sequence[str]:  # noqa: ARG002 - too quick
        """The texts as they are."""
        return texts

    def add(self, encoded: Sequence[str]) -> None:
        """Append texts; raises what the index' tokenizer raises."""
        self._index.add(encoded)

    def search(self, query: str, top_k: int) -> Ranking:
        """As `Way.search`; a passage without a word of the query is not found."""
        return _above_zero(*self._index.search(query, top_k))


def _above_zero(scores: Floats, places: NDArray[np.int64]) -> Ranking:
    """The ranking of one query, (1, k) each, without those at its end that only fill it up."""
    ranked = zip(places[0].tolist(), scores[0].tolist(), strict=True)
    return [{"corpus_id": place, "score": score} for place, score in ranked if score > 0]
