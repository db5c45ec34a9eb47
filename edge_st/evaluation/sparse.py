"""Evaluators of sparse embeddings: those of dense embeddings, with active dimensions and sparsity added."""

from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.vectors import sparse_similarity
from edge_st_runtime.vectors.similarity import SimilarityFunctions
from edge_st_runtime.vectors.sparse import SparseMatrix

from .binary_classification import BinaryClassificationEvaluator
from .embedding_similarity import EmbeddingSimilarityEvaluator
from .embeddings import SPARSE, EmbeddingEvaluator
from .evaluator import BaseEvaluator, Metrics, given
from .mse import MSEEvaluator
from .reranking import RerankingEvaluator
from .translation import TranslationEvaluator
from .triplet import TripletEvaluator

_SIDES = {None: "query", "query": "query", "document": "corpus"}


class EncodeCall(NamedTuple):
    """A call to `embed_inputs`, and how sparse its embeddings are.

    ``counts`` (dim,) is the number of embeddings in which each dimension is not 0.
    """

    side: str
    texts: int
    sparsity: dict[str, float]
    counts: NDArray[np.int64]


class SparseEvaluator(EmbeddingEvaluator):
    """Keeps at most ``max_active_dims`` dimensions, and adds the sparsity of the embeddings to the metrics."""

    _functions: ClassVar[SimilarityFunctions] = sparse_similarity.FUNCTIONS
    _kind = SPARSE
    max_active_dims: int | None
    calls: list[EncodeCall]

    def __call__(
        self,
        model: Any,
        output_path: str | Path | None = None,
        epoch: int = -1,
        steps: int = -1,
        *args: Any,
        **kwargs: Any,
    ) -> Metrics:
        """The metrics of the dense evaluator, and the sparsity of the embeddings."""
        self.calls = []
        return super().__call__(model, output_path, epoch, steps, *args, **kwargs)

    def embed_inputs(
        self, model: Any, sentences: Sequence[str], encode_fn_name: str | None = None, **kwargs: Any
    ) -> Any:
        """Encode ``sentences`` with ``model``: sparse embeddings (n, dim). Their sparsity is recorded."""
        embeddings = super().embed_inputs(model, sentences, encode_fn_name, **kwargs)
        self.record(model, _SIDES[encode_fn_name], embeddings)
        return embeddings

    def record(self, model: Any, side: str, embeddings: SparseMatrix) -> None:
        """Record the sparsity of the embeddings of a ``side``, "query" or "corpus"."""
        counts = np.bincount(embeddings.indices, minlength=embeddings.dim)
        self.calls.append(EncodeCall(side, len(embeddings), model.sparsity(embeddings), counts))

    def _encode_options(self) -> dict[str, Any]:
        return {"convert_to_sparse_tensor": True, "save_to_cpu": True, "max_active_dims": self.max_active_dims}

    def extra_metrics(self) -> Metrics:
        """``active_dims`` and ``sparsity_ratio``, as means over all calls."""
        return _mean(self.calls)

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        return {**super().get_config_dict(), **given(max_active_dims=self.max_active_dims)}


def constructor(dense: type[BaseEvaluator]) -> Any:
    """The constructor of ``dense`` with ``max_active_dims`` in place of ``truncate_dim``, and without ``precision``."""
    arguments = signature(dense.__init__)
    parameters = [
        parameter.replace(name="max_active_dims") if name == "truncate_dim" else parameter
        for name, parameter in arguments.parameters.items()
        if name != "precision"
    ]
    changed = arguments.replace(parameters=parameters)

    def construct(*args: Any, **kwargs: Any) -> None:
        values = changed.bind(*args, **kwargs).arguments
        evaluator = values["self"]
        evaluator.max_active_dims = values.pop("max_active_dims", None)
        evaluator.calls = []
        dense.__init__(**values)

    construct.__signature__ = changed  # type: ignore[attr-defined]
    return construct


class SparseEmbeddingSimilarityEvaluator(SparseEvaluator, EmbeddingSimilarityEvaluator):
    """`EmbeddingSimilarityEvaluator` for sparse embeddings. Adds ``active_dims`` and ``sparsity_ratio``."""

    __init__: Any = constructor(EmbeddingSimilarityEvaluator)

    def _encode_options(self) -> dict[str, Any]:
        return SparseEvaluator._encode_options(self)


class SparseBinaryClassificationEvaluator(SparseEvaluator, BinaryClassificationEvaluator):
    """`BinaryClassificationEvaluator` for sparse embeddings. Adds ``active_dims`` and ``sparsity_ratio``."""

    __init__: Any = constructor(BinaryClassificationEvaluator)


class SparseTripletEvaluator(SparseEvaluator, TripletEvaluator):
    """`TripletEvaluator` for sparse embeddings. Adds ``anchor_active_dims``, ``anchor_sparsity_ratio`` and so on."""

    __init__: Any = constructor(TripletEvaluator)

    def extra_metrics(self) -> Metrics:
        """``active_dims`` and ``sparsity_ratio`` of anchors, positives and negatives."""
        calls = zip(("anchor", "positive", "negative"), self.calls, strict=True)
        return {f"{side}_{name}": value for side, call in calls for name, value in call.sparsity.items()}


class SparseRerankingEvaluator(SparseEvaluator, RerankingEvaluator):
    """`RerankingEvaluator` for sparse embeddings. Adds ``query_active_dims``, ``corpus_active_dims`` and so on."""

    __init__: Any = constructor(RerankingEvaluator)

    def extra_metrics(self) -> Metrics:
        """``active_dims`` and ``sparsity_ratio`` of queries and documents."""
        sides = {side: [call for call in self.calls if call.side == side] for side in ("query", "corpus")}
        return {f"{side}_{name}": value for side, calls in sides.items() for name, value in _mean(calls).items()}


class SparseTranslationEvaluator(SparseEvaluator, TranslationEvaluator):
    """`TranslationEvaluator` for sparse embeddings. Adds ``active_dims`` and ``sparsity_ratio``."""

    __init__: Any = constructor(TranslationEvaluator)


class SparseMSEEvaluator(SparseEvaluator, MSEEvaluator):
    """`MSEEvaluator` for sparse embeddings. Adds ``active_dims`` and ``sparsity_ratio``."""

    __init__: Any = constructor(MSEEvaluator)


def _mean(calls: Sequence[EncodeCall]) -> Metrics:
    return {name: float(np.mean([call.sparsity[name] for call in calls])) for name in calls[0].sparsity}
