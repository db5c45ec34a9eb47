"""What a data set gives a model to run: texts to encode, or pairs of texts to score."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.classes import CROSS_ENCODER, MULTI_VECTOR_ENCODER

from ..evaluation.candidates import bm25_candidates
from ..evaluation.datasets import Dataset, RetrievalData, TripletData
from .random_pairs import Pair, random_pairs

Side: TypeAlias = Literal["text", "query", "document", "pair"]
CANDIDATES = 20


@dataclass(frozen=True)
class Inputs:
    """Distinct texts, or pairs of texts, for one method of a model.

    ``side`` chooses the method: ``encode`` for "text", ``encode_query`` and ``encode_document`` for "query" and
    "document", ``predict`` for "pair". The pairs of a retrieval set come from ``ranked``: the ids of each query's best
    documents by BM25.
    """

    side: Side
    texts: Sequence[str | Pair]
    ranked: Mapping[str, Sequence[str]] = field(default_factory=dict)


def inputs_of(data: Dataset, model_type: str, candidates: int = CANDIDATES) -> list[Inputs]:
    """The inputs of a data set, one for each side.

    On a retrieval set a cross-encoder scores each query with its ``candidates`` best documents by BM25. Raises
    OptionError as `check_fits`.
    """
    check_fits(data, model_type)
    if model_type == CROSS_ENCODER:
        return [_pairs(data, candidates)]
    return [Inputs(side, list(dict.fromkeys(texts))) for side, texts in _sides(data).items()]


def check_fits(data: Dataset, model_type: str) -> None:
    """Raise OptionError where a model of this type cannot be measured on the data."""
    if model_type == CROSS_ENCODER and isinstance(data, TripletData):
        raise OptionError(
            f"{data.name} holds triplets, which compare embeddings; a cross-encoder scores pairs: give it pairs with a "
            "score or a label, or a folder in BEIR's layout"
        )
    if model_type == MULTI_VECTOR_ENCODER and not isinstance(data, RetrievalData | TripletData):
        raise OptionError(
            f"{data.name} holds pairs of texts that are alike; a multi-vector model compares queries with documents: "
            "give it triplets, or a folder in BEIR's layout"
        )


def _sides(data: Dataset) -> Mapping[Side, Iterable[str]]:
    if isinstance(data, RetrievalData):
        return {"query": data.queries.values(), "document": data.corpus.values()}
    if isinstance(data, TripletData):
        return {"query": data.anchors, "document": [*data.positives, *data.negatives]}
    return {"text": [*data.sentences1, *data.sentences2]}


def _pairs(data: Dataset, candidates: int) -> Inputs:
    assert not isinstance(data, TripletData)
    ranked = bm25_candidates(data, candidates) if isinstance(data, RetrievalData) else {}
    if isinstance(data, RetrievalData):
        found = [(data.queries[query], data.corpus[each]) for query, of in ranked.items() for each in of]
    else:
        found = list(zip(data.sentences1, data.sentences2, strict=True))
    return Inputs("pair", list(dict.fromkeys(found + random_pairs(data))), ranked)
