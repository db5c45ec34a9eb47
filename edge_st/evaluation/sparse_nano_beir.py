"""The measures of a sparse model over the sets of NanoBEIR."""

from itertools import chain
from typing import Any

from .evaluator import Metrics
from .nano_beir import NanoBEIREvaluator
from .sparse import constructor
from .sparse_retrieval import SparseInformationRetrievalEvaluator, retrieval_sparsity


class SparseNanoBEIREvaluator(NanoBEIREvaluator):
    """`NanoBEIREvaluator` of sparse embeddings, with their active dimensions and sparsity and ``avg_flops``.

    Source: sentence-transformers' class of this name.
    """

    information_retrieval_class = SparseInformationRetrievalEvaluator
    max_active_dims: int | None

    __init__: Any = constructor(NanoBEIREvaluator)

    @property
    def _cut(self) -> dict[str, int | None]:
        return {"max_active_dims": self.max_active_dims}

    def extra_metrics(self) -> Metrics:
        """Over all texts of all sets, not means of the sets."""
        return retrieval_sparsity(list(chain.from_iterable(evaluator.calls for evaluator in self.evaluators)))
