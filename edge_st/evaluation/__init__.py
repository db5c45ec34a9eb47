"""Evaluators of embedding models and rerankers, without PyTorch, scikit-learn or SciPy.

Source: the ``evaluation`` packages of sentence-transformers, with the same classes in one place.
"""

from edge_st_runtime.vectors.similarity import SimilarityFunction

from .binary_classification import BinaryClassificationEvaluator
from .cross_nano_beir import CrossEncoderNanoBEIREvaluator
from .cross_pairs import CrossEncoderClassificationEvaluator, CrossEncoderCorrelationEvaluator
from .cross_reranking import CrossEncoderRerankingEvaluator
from .embedding_similarity import EmbeddingSimilarityEvaluator
from .evaluator import BaseEvaluator, SentenceEvaluator
from .information_retrieval import InformationRetrievalEvaluator
from .input_example import InputExample
from .mse import MSEEvaluator
from .multi_vector import MultiVectorRerankingEvaluator, MultiVectorTripletEvaluator
from .multi_vector_distillation import MultiVectorDistillationEvaluator
from .multi_vector_retrieval import MultiVectorInformationRetrievalEvaluator, MultiVectorNanoBEIREvaluator
from .nano_beir import NanoBEIREvaluator
from .paraphrase_mining import ParaphraseMiningEvaluator
from .rank_fusion import ReciprocalRankFusionEvaluator
from .reranking import RerankingEvaluator
from .sequential import SequentialEvaluator
from .sparse import (
    SparseBinaryClassificationEvaluator,
    SparseEmbeddingSimilarityEvaluator,
    SparseMSEEvaluator,
    SparseRerankingEvaluator,
    SparseTranslationEvaluator,
    SparseTripletEvaluator,
)
from .sparse_nano_beir import SparseNanoBEIREvaluator
from .sparse_retrieval import SparseInformationRetrievalEvaluator
from .translation import TranslationEvaluator
from .triplet import TripletEvaluator

__all__ = [
    "BaseEvaluator",
    "BinaryClassificationEvaluator",
    "CrossEncoderClassificationEvaluator",
    "CrossEncoderCorrelationEvaluator",
    "CrossEncoderNanoBEIREvaluator",
    "CrossEncoderRerankingEvaluator",
    "EmbeddingSimilarityEvaluator",
    "InformationRetrievalEvaluator",
    "InputExample",
    "MSEEvaluator",
    "MultiVectorDistillationEvaluator",
    "MultiVectorInformationRetrievalEvaluator",
    "MultiVectorNanoBEIREvaluator",
    "MultiVectorRerankingEvaluator",
    "MultiVectorTripletEvaluator",
    "NanoBEIREvaluator",
    "ParaphraseMiningEvaluator",
    "ReciprocalRankFusionEvaluator",
    "RerankingEvaluator",
    "SentenceEvaluator",
    "SequentialEvaluator",
    "SimilarityFunction",
    "SparseBinaryClassificationEvaluator",
    "SparseEmbeddingSimilarityEvaluator",
    "SparseInformationRetrievalEvaluator",
    "SparseMSEEvaluator",
    "SparseNanoBEIREvaluator",
    "SparseRerankingEvaluator",
    "SparseTranslationEvaluator",
    "SparseTripletEvaluator",
    "TranslationEvaluator",
    "TripletEvaluator",
]
