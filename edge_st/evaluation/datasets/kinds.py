"""The kinds of evaluation data, in the form that the evaluators take."""

from dataclasses import dataclass
from typing import TypeAlias

MAX_SCORE = 5


@dataclass(frozen=True)
class SimilarityData:
    """Pairs of sentences with similarity scores from 0 to 5, or from 0 to 1 where no score is above 1."""

    name: str
    sentences1: list[str]
    sentences2: list[str]
    scores: list[float]

    @property
    def scale(self) -> int:
        """The highest possible score: 5 or 1."""
        return 1 if max(self.scores) <= 1 else MAX_SCORE


@dataclass(frozen=True)
class PairData:
    """Pairs of sentences with labels: 1 where a pair belongs together, else 0."""

    name: str
    sentences1: list[str]
    sentences2: list[str]
    labels: list[int]


@dataclass(frozen=True)
class TripletData:
    """Triplets: an anchor, a positive that is similar to it, and a negative that is less similar."""

    name: str
    anchors: list[str]
    positives: list[str]
    negatives: list[str]


@dataclass(frozen=True)
class RetrievalData:
    """Queries and documents by id, and for each query the grades of the documents that were judged.

    A document is relevant if its grade is above 0. Every query has a relevant document.
    """

    name: str
    queries: dict[str, str]
    corpus: dict[str, str]
    grades: dict[str, dict[str, int]]

    @property
    def relevant_docs(self) -> dict[str, set[str]]:
        """The ids of each query's relevant documents."""
        return {
            query: {document for document, grade in judged.items() if grade > 0}
            for query, judged in self.grades.items()
        }


Dataset: TypeAlias = SimilarityData | PairData | TripletData | RetrievalData
