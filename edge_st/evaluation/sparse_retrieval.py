"""How well a sparse model finds the relevant documents of a corpus, and what its inverted index costs to search."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .evaluator import Metrics
from .information_retrieval import InformationRetrievalEvaluator
from .sparse import Call, SparseEvaluator, constructor


class SparseInformationRetrievalEvaluator(SparseEvaluator, InformationRetrievalEvaluator):
    """`InformationRetrievalEvaluator` of sparse embeddings, with their active dimensions, sparsity and ``avg_flops``.

    ``avg_flops`` is the number of products that a query and a document need on average.

    Source: sentence-transformers' class of this name.
    """

    __init__: Any = constructor(InformationRetrievalEvaluator)

    def extra_metrics(self) -> Metrics:
        """``active_dims`` and ``sparsity_ratio`` of queries and documents, and ``avg_flops``."""
        return retrieval_sparsity(self.calls)


def retrieval_sparsity(calls: Sequence[Call]) -> Metrics:
    """The mean sparsity of the queries' embeddings and of the corpus', and the products of one with the other."""
    sides = {side: [call for call in calls if call.side == side] for side in ("query", "corpus")}
    texts = {side: sum(call.texts for call in of) for side, of in sides.items()}
    means = {
        f"{side}_{name}": sum(call.sparsity[name] * call.texts for call in of) / texts[side]
        for side, of in sides.items()
        for name in of[0].sparsity
    }
    shares = [np.sum([call.counts for call in of], axis=0) / texts[side] for side, of in sides.items()]
    return {**means, "avg_flops": float(np.dot(*shares))}
