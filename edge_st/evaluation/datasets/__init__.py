"""Evaluation data from files: sentence pairs with scores or labels, triplets, and retrieval sets in BEIR's layout."""

from .beir import read_beir
from .kinds import Dataset, PairData, RetrievalData, SimilarityData, TripletData
from .reading import is_dataset, read_dataset

__all__ = [
    "Dataset",
    "PairData",
    "RetrievalData",
    "SimilarityData",
    "TripletData",
    "is_dataset",
    "read_beir",
    "read_dataset",
]
