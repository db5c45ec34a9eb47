"""Sparse retrieval evaluated on the datasets of NanoBEIR."""

from itertools import chain
from typing import Any

from .evaluator import Metrics
from .nano_beir import NanoBEIREvaluator
from .sparse import constructor
from .sparse_retrieval import SparseInformationRetrievalEvaluator, retrieval_sparsity


class SparseNanoBEIREvaluator(NanoBEIREvaluator):
    """`NanoBEIREvaluator` for sparse embeddings. Adds active dimensions, sparsity and ``avg_flops``.

    Source: sentence-transformers' class of this name.
    """

    information_retrieval_class = SparseInformationRetrievalEvaluator
    max_active_dims: int | None

    __init__: Any = constructor(NanoBEIREvaluator)

    @property
    def _truncation(self) -> dict[str, int | None]:
        return {"max_active_dims": self.max_active_dims}

    def extra_metrics(self) -> Metrics:
        """The sparsity over all texts of all datasets, not the mean over datasets."""
        return retrieval_sparsity(list(chain.from_iterable(evaluator.calls for evaluator in self.evaluators)))
