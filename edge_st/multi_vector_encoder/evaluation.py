"""The evaluators of `MultiVectorEncoder`, importable from where sentence-transformers has them."""

from ..evaluation.multi_vector import MultiVectorRerankingEvaluator, MultiVectorTripletEvaluator
from ..evaluation.multi_vector_distillation import MultiVectorDistillationEvaluator
from ..evaluation.multi_vector_retrieval import MultiVectorInformationRetrievalEvaluator, MultiVectorNanoBEIREvaluator

__all__ = [
    "MultiVectorDistillationEvaluator",
    "MultiVectorInformationRetrievalEvaluator",
    "MultiVectorNanoBEIREvaluator",
    "MultiVectorRerankingEvaluator",
    "MultiVectorTripletEvaluator",
]
