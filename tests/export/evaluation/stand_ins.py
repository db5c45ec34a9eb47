"""Models that only look numbers up: the same for both libraries, as PyTorch's tensors and as NumPy's arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from zlib import crc32

import numpy as np
import sentence_transformers as st
import torch
from numpy.typing import NDArray
from sentence_transformers.util import quantize_embeddings, select_max_active_dims

import edge_st
from edge_st_runtime.vectors.sparse import select_max_active_dims as our_select_max_active_dims
from edge_st_runtime.vectors.sparse_similarity import FUNCTIONS as SPARSE_FUNCTIONS

Rows = NDArray[np.float32]


class StandIn:
    """A model whose answers follow from ``seed``, the text, the prompt and whether it is a query or a document.

    ``tied`` numbers are few, and cosines of them are not rounded; ``constant`` ones are all equal. With a ``table`` of
    texts the answers are taken from it. ``asked`` is what it was asked for, ``model_card_data.reports`` what it was
    told.
    """

    #: (sentences, route, **options), with the options that evaluators give the library's models
    _encode: Callable[..., Any]

    def __init__(
        self,
        *,
        seed: int = 0,
        dim: int = 8,
        tied: bool = False,
        constant: bool = False,
        similarity: str = "cosine",
        num_labels: int = 1,
        table: Mapping[str, Rows] | None = None,
    ) -> None:
        self.seed, self.dim, self.tied, self.constant, self.num_labels = seed, dim, tied, constant, num_labels
        self.similarity_fn_name, self.table = similarity, table
        self.asked: set[tuple[Any, ...]] = set()
        self.model_card_data = Card()

    @property
    def similarity(self) -> Any:
        """The similarity over every pair."""
        raise NotImplementedError

    def numbers(self, key: tuple[Any, ...], dim: int) -> Rows:
        """What ``key`` stands for: (dim,)."""
        if self.table is not None:
            return self.table[key[-1]]
        random = np.random.default_rng(0 if self.constant else crc32(repr((self.seed, *key)).encode()))
        if not self.tied:
            return random.standard_normal(dim).astype(np.float32)
        found = np.zeros(dim, dtype=np.float32)
        found[random.permutation(dim)[: 4 if dim >= 4 else 1]] = 1
        return (found * random.choice([-1, 1], dim) * random.choice([0.5, 1, 2])).astype(np.float32)

    def encode(self, sentences: Any, **options: Any) -> Any:
        return self._encode(sentences, "", **options)

    def encode_query(self, sentences: Any, **options: Any) -> Any:
        return self._encode(sentences, "query", **options)

    def encode_document(self, sentences: Any, **options: Any) -> Any:
        return self._encode(sentences, "document", **options)

    def _rows(self, sentences: Sequence[str], route: str, prompt: Any, prompt_name: Any, batch_size: int) -> Rows:
        assert not isinstance(sentences, str)
        self.asked.add((route, prompt, prompt_name, batch_size))
        return np.stack([self.numbers((route, prompt, prompt_name, text), self.dim) for text in sentences])


class Card:
    """A model card that keeps what evaluators tell it."""

    def __init__(self) -> None:
        self.reports: list[Any] = []

    def set_evaluation_metrics(self, evaluator: Any, metrics: dict[str, Any], epoch: int = 0, step: int = 0) -> None:
        self.reports.append((type(evaluator).__name__, getattr(evaluator, "name", ""), dict(metrics), epoch, step))


class TheirDense(StandIn):
    """Of an embedding model in PyTorch."""

    @property
    def similarity(self) -> Any:
        return st.SimilarityFunction.to_similarity_fn(self.similarity_fn_name)

    def _tensor(self, rows: Rows) -> Any:
        return torch.from_numpy(rows)

    def _encode(
        self,
        sentences: Any,
        route: str,
        *,
        batch_size: int = 32,
        prompt: str | None = None,
        prompt_name: str | None = None,
        show_progress_bar: bool | None = None,  # noqa: ARG002 - there is none
        precision: Any = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
    ) -> Any:
        rows = self._rows(sentences, route, prompt, prompt_name, batch_size)[:, :truncate_dim]
        if normalize_embeddings:
            rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        if precision:
            rows = quantize_embeddings(rows, precision)
        if convert_to_tensor:
            return self._tensor(rows)
        return rows if convert_to_numpy else [self._tensor(row) for row in rows]


class OurDense(TheirDense):
    """Of an embedding model of ours: without PyTorch there are no tensors."""

    @property
    def similarity(self) -> Any:
        return edge_st.SimilarityFunction.to_similarity_fn(self.similarity_fn_name)

    def _tensor(self, rows: Rows) -> Any:
        return rows

    def _encode(self, sentences: Any, route: str, **options: Any) -> Any:
        assert not options.get("convert_to_tensor"), "a tensor needs PyTorch"
        return super()._encode(sentences, route, **options)


class TheirSparse(StandIn):
    """Of a sparse encoder in PyTorch: about a third of the dimensions is active."""

    sparsity = staticmethod(st.SparseEncoder.sparsity)

    @property
    def similarity(self) -> Any:
        return st.SimilarityFunction.to_similarity_fn(self.similarity_fn_name)

    def _selected(self, rows: Rows, most: int | None) -> Any:
        dense = torch.from_numpy(rows)
        return (dense if most is None else select_max_active_dims(dense, most)).to_sparse().coalesce()

    def _encode(
        self,
        sentences: Any,
        route: str,
        *,
        batch_size: int = 32,
        prompt: str | None = None,
        prompt_name: str | None = None,
        show_progress_bar: bool | None = None,  # noqa: ARG002 - there is none
        convert_to_tensor: bool = True,
        convert_to_sparse_tensor: bool = True,
        save_to_cpu: bool = False,  # noqa: ARG002 - there it is
        max_active_dims: int | None = None,
    ) -> Any:
        rows = self._rows(sentences, route, prompt, prompt_name, batch_size)
        found = self._selected(np.maximum(rows - np.float32(0.4), 0), max_active_dims)
        if not convert_to_sparse_tensor:
            found = found.to_dense()
        return found if convert_to_tensor else list(found)


class OurSparse(TheirSparse):
    """Of a sparse encoder of ours."""

    sparsity = staticmethod(edge_st.SparseEncoder.sparsity)

    @property
    def similarity(self) -> Any:
        return SPARSE_FUNCTIONS[edge_st.SimilarityFunction(self.similarity_fn_name)][0]

    def _selected(self, rows: Rows, most: int | None) -> Any:
        return our_select_max_active_dims(edge_st.SparseMatrix.from_dense(rows), most)


class TheirMultiVector(StandIn):
    """Of a multi-vector encoder in PyTorch: a text has one to six tokens, a "skipped" one none."""

    prompts: ClassVar[Mapping[str, str]] = {"query": "ask: ", "document": ""}

    @property
    def similarity(self) -> Any:
        return st.SimilarityFunction.to_similarity_fn(self.similarity_fn_name)

    @property
    def similarity_pairwise(self) -> Any:
        return st.SimilarityFunction.to_similarity_pairwise_fn(self.similarity_fn_name)

    def _tensor(self, rows: Rows) -> Any:
        return torch.from_numpy(rows)

    def _encode(
        self,
        sentences: Any,
        route: str,
        *,
        batch_size: int = 32,
        prompt: str | None = None,
        prompt_name: str | None = None,
        show_progress_bar: bool | None = None,  # noqa: ARG002 - there is none
    ) -> Any:
        self.asked.add((route, prompt, prompt_name, batch_size))
        counts = [0 if "skipped" in text else 1 + crc32(text.encode()) % 6 for text in sentences]
        return [
            self._tensor(self.numbers((route, prompt, prompt_name, text), self.dim * count).reshape(count, self.dim))
            for text, count in zip(sentences, counts, strict=True)
        ]


class OurMultiVector(TheirMultiVector):
    """Of a multi-vector encoder of ours."""

    @property
    def similarity(self) -> Any:
        return edge_st.SimilarityFunction.to_similarity_fn(self.similarity_fn_name)

    @property
    def similarity_pairwise(self) -> Any:
        return edge_st.SimilarityFunction.to_similarity_pairwise_fn(self.similarity_fn_name)

    def _tensor(self, rows: Rows) -> Any:
        return rows


class Cross(StandIn):
    """Of a cross-encoder: its scores are arrays in both libraries."""

    def predict(
        self,
        inputs: Any,
        *,
        prompt_name: str | None = None,
        batch_size: int = 32,
        convert_to_numpy: bool = True,
        show_progress_bar: bool | None = None,  # noqa: ARG002 - there is none
    ) -> Rows:
        assert convert_to_numpy
        self.asked.add((prompt_name, batch_size))
        scores = np.stack([self.numbers((prompt_name, *pair), self.num_labels) for pair in inputs])
        return scores[:, 0] if self.num_labels == 1 else scores


THEIRS = {"dense": TheirDense, "sparse": TheirSparse, "multi-vector": TheirMultiVector, "cross": Cross}
OURS = {"dense": OurDense, "sparse": OurSparse, "multi-vector": OurMultiVector, "cross": Cross}
