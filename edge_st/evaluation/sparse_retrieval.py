"""Retrieval with sparse embeddings, and the cost of searching their inverted index."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .evaluator import Metrics
from .information_retrieval import InformationRetrievalEvaluator, Ranked
from .sparse import EncodeCall, SparseEvaluator, constructor


class SparseInformationRetrievalEvaluator(SparseEvaluator, InformationRetrievalEvaluator):
    """`InformationRetrievalEvaluator` for sparse embeddings. Adds active dimensions, sparsity and ``avg_flops``.

    ``avg_flops`` is the average number of multiplications to score one document for one query.

    Source: sentence-transformers' class of this name.
    """

    __init__: Any = constructor(InformationRetrievalEvaluator)

    def search(self, model: Any, corpus_model: Any = None, corpus_embeddings: Any = None) -> dict[str, Ranked]:
        """As in `InformationRetrievalEvaluator`; the sparsity of ``corpus_embeddings`` is recorded."""
        if corpus_embeddings is not None:
            self.record(corpus_model or model, "corpus", corpus_embeddings)
        return super().search(model, corpus_model, corpus_embeddings)

    def extra_metrics(self) -> Metrics:
        """``active_dims`` and ``sparsity_ratio`` of queries and documents, and ``avg_flops``."""
        return retrieval_sparsity(self.calls)


def retrieval_sparsity(calls: Sequence[EncodeCall]) -> Metrics:
    """The mean sparsity of the embeddings of queries and of the corpus, and ``avg_flops``."""
    sides = {side: [call for call in calls if call.side == side] for side in ("query", "corpus")}
    texts = {side: sum(call.texts for call in of) for side, of in sides.items()}
    means = {
        f"{side}_{name}": sum(call.sparsity[name] * call.texts for call in of) / texts[side]
        for side, of in sides.items()
        for name in of[0].sparsity
    }
    shares = [np.sum([call.counts for call in of], axis=0) / texts[side] for side, of in sides.items()]
    return {**means, "avg_flops": float(np.dot(*shares))}
