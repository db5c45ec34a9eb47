"""Pairs of texts drawn at random, whose scores are set against those of pairs known to belong together."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..evaluation.datasets import Dataset, RetrievalData, TripletData

Pair: TypeAlias = tuple[str, str]
_SEED = 0


def random_pairs(data: Dataset) -> list[Pair]:
    """Each first sentence, anchor or query with the counterpart of another one.

    A query is paired with a document that is not relevant to it, if there is one. Every call draws the same pairs.
    """
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
    """For each of ``count`` positions another one, drawn at random: (count,)."""
    order = np.random.default_rng(_SEED).permutation(count)
    other = np.empty(count, dtype=np.int64)
    other[order] = np.roll(order, 1)
    return other


def _first_other(documents: Sequence[str], drawn: Sequence[int], place: int, relevant: set[str]) -> str:
    """The first document that is not relevant, in the order drawn from ``place`` on; any where all are relevant."""
    order = (documents[drawn[(place + step) % len(drawn)]] for step in range(len(drawn)))
    return next((document for document in order if document not in relevant), documents[0])
