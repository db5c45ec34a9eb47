"""The kinds of evaluation data, in the form that the evaluators take."""

from dataclasses import dataclass
from typing import TypeAlias

MOST_ALIKE = 5


@dataclass(frozen=True)
class SimilarityData:
    """Pairs of sentences and how alike each pair is, from 0 to 5, or to 1 where no score is above that."""

    name: str
    sentences1: list[str]
    sentences2: list[str]
    scores: list[float]

    @property
    def scale(self) -> int:
        """The score of a pair that is wholly alike: 5 or 1."""
        return 1 if max(self.scores) <= 1 else MOST_ALIKE


@dataclass(frozen=True)
class PairData:
    """Pairs of sentences and whether each pair belongs together: 1 or 0."""

    name: str
    sentences1: list[str]
    sentences2: list[str]
    labels: list[int]


@dataclass(frozen=True)
class TripletData:
    """Of each row an anchor, a text that is closer to it, and one that is farther away."""

    name: str
    anchors: list[str]
    positives: list[str]
    negatives: list[str]


@dataclass(frozen=True)
class RetrievalData:
    """Queries and documents by id, and of each query the grades of the documents that were judged.

    A document is relevant where its grade is above 0, and every query has one that is.
    """

    name: str
    queries: dict[str, str]
    corpus: dict[str, str]
    grades: dict[str, dict[str, int]]

    @property
    def relevant_docs(self) -> dict[str, set[str]]:
        """Of each query the ids of its relevant documents."""
        return {
            query: {document for document, grade in judged.items() if grade > 0}
            for query, judged in self.grades.items()
        }


Dataset: TypeAlias = SimilarityData | PairData | TripletData | RetrievalData
