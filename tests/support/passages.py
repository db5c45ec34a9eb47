"""Passages for a retriever, a reranker that knows their words, and what results call them."""

from typing import Any

from edge_st import Retriever
from tests.support.tiny_rerankers import TinyReranker

FOX, BOATS, DOOR, TAX = PASSAGES = [
    "The quick brown fox jumps over the lazy dog.",
    "Seven small boats sail across the cold northern sea.",
    "Nobody remembers who painted the green door of the old library.",
    "Income tax returns must reach the tax office before the end of July.",
]
TINY_RERANKER = TinyReranker({"fox": 5.0, "door": 9.0, "sea": -4.0})


def filled(*parts: Any) -> Retriever:
    retriever = Retriever(*parts)
    retriever.add(PASSAGES)
    return retriever


def ids(hits: list[dict[str, Any]]) -> list[Any]:
    return [hit["corpus_id"] for hit in hits]
