"""The shape of Cohere's and Jina's rerankers: the body of POST /v1/rerank and /v2/rerank, and its answer."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from ..models.classes import Model
from .computing import best_first, count, score
from .fields import SWITCH, TEXT, WHOLE_NUMBER, RequestError, optional, required, texts_of


def answer_rerank(model: Model, body: Mapping[str, Any]) -> dict[str, Any]:
    """The ``documents`` by their relevance to ``query``, as results from 1 to 0, highest first.

    A document is a string, or an object with its ``text``. ``usage`` counts the tokens that were read. Where pairs were
    cut, ``truncated`` lists the places of their documents: clients pass over that field.
    """
    query, texts = required(body, "query", TEXT), _documents(body)
    top_n = optional(body, "top_n", WHOLE_NUMBER)
    with_texts = optional(body, "return_documents", SWITCH, default=False)
    scores = score(model, query, texts, raw=False)
    counts = count(model, [(query, text) for text in texts])
    cut = counts.truncated
    return {
        "id": str(uuid4()),
        "model": optional(body, "model", TEXT) or model.model_card_data.model_name or "",
        "results": [
            {
                "index": place,
                "relevance_score": float(scores[place]),
                **({"document": {"text": texts[place]}} if with_texts else {}),
            }
            for place in best_first(scores)[:top_n]
        ],
        "usage": {"total_tokens": counts.read},
        **({"truncated": cut} if cut else {}),
    }


def _documents(body: Mapping[str, Any]) -> list[str]:
    documents = body.get("documents")
    if isinstance(documents, list):
        for place, each in enumerate(documents):
            if isinstance(each, dict) and not isinstance(each.get("text"), str):
                raise RequestError(
                    f"`documents[{place}]` has no `text`; expected a string, or one as `text`", "documents"
                )
        documents = [each["text"] if isinstance(each, dict) else each for each in documents]
    return texts_of({"documents": documents}, "documents")
