"""What a data set asks of a model: texts to encode, or pairs of texts to score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.classes import CROSS_ENCODER

from ..evaluation.candidates import ranked_by_words
from ..evaluation.datasets import Dataset, PairData, RetrievalData, SimilarityData, TripletData

Side: TypeAlias = Literal["text", "query", "document", "pair"]
Pair: TypeAlias = tuple[str, str]
CANDIDATES = 20
_SEED = 0


@dataclass(frozen=True)
class Job:
    """Distinct texts, or pairs of texts, and as what a model takes them.

    Of retrieval sets, pairs come from ``ranked``, the ids of each query's best documents by BM25.
    """

    side: Side
    texts: Sequence[str | Pair]
    ranked: Mapping[str, Sequence[str]] = field(default_factory=dict)


def jobs_of(data: Dataset, model_type: str, candidates: int = CANDIDATES) -> list[Job]:
    """The jobs of a data set; raises OptionError as `check_fits`.

    Of retrieval sets a cross-encoder scores each query's ``candidates`` best documents by BM25.
    """
    check_fits(data, model_type)
    if model_type == CROSS_ENCODER:
        return [_pairs(data, candidates)]
    if isinstance(data, RetrievalData):
        sides: dict[Side, dict[str, str]] = {"query": data.queries, "document": data.corpus}
        return [Job(side, list(dict.fromkeys(texts.values()))) for side, texts in sides.items()]
    sides_of = (
        (data.anchors, data.positives, data.negatives)
        if isinstance(data, TripletData)
        else (data.sentences1, data.sentences2)
    )
    return [Job("text", list(dict.fromkeys(text for side in sides_of for text in side)))]


def check_fits(data: Dataset, model_type: str) -> None:
    """Raise OptionError where a model of this type cannot be measured on the data."""
    if model_type == CROSS_ENCODER and isinstance(data, TripletData):
        raise OptionError(
            f"{data.name} holds triplets, which compare embeddings; a cross-encoder scores pairs: give it pairs with a "
            "score or a label, or a folder in BEIR's layout"
        )


def _pairs(data: Dataset, candidates: int) -> Job:
    assert not isinstance(data, TripletData)
    ranked = ranked_by_words(data, candidates) if isinstance(data, RetrievalData) else {}
    if isinstance(data, RetrievalData):
        found = [(data.queries[query], data.corpus[each]) for query, of in ranked.items() for each in of]
    else:
        found = list(zip(data.sentences1, data.sentences2, strict=True))
    return Job("pair", list(dict.fromkeys(found + random_pairs(data))), ranked)


def random_pairs(data: SimilarityData | PairData | TripletData | RetrievalData) -> list[Pair]:
    """Each first text, anchor or query with another one's counterpart, drawn at random; the same in every call."""
    if isinstance(data, RetrievalData):
        documents = list(data.corpus)
        relevant = data.relevant_docs
        drawn = np.random.default_rng(_SEED).permutation(len(documents)).tolist()
        return [
            (text, data.corpus[_first_other(documents, drawn, place, relevant[query])])
            for place, (query, text) in enumerate(data.queries.items())
        ]
    first = data.anchors if isinstance(data, TripletData) else data.sentences1
    second = data.positives if isinstance(data, TripletData) else data.sentences2
    return [(text, second[other]) for text, other in zip(first, partners(len(first)).tolist(), strict=True)]


def partners(count: int) -> NDArray[np.int64]:
    """For each of ``count`` positions another one, drawn at random."""
    order = np.random.default_rng(_SEED).permutation(count)
    other = np.empty(count, dtype=np.int64)
    other[order] = np.roll(order, 1)
    return other


def _first_other(documents: Sequence[str], drawn: Sequence[int], place: int, relevant: set[str]) -> str:
    """The first document from ``place`` on, in the order drawn, that is not relevant; any where all are."""
    order = (documents[drawn[(place + step) % len(drawn)]] for step in range(len(drawn)))
    return next((document for document in order if document not in relevant), documents[0])
