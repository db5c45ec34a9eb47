"""The shape of Cohere's and Jina's rerankers: the body of POST /v1/rerank and /v2/rerank, its answer, its errors."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from edge_st_runtime.errors import EdgeSTError
from edge_st_runtime.modules.activations import sigmoid

from . import openai
from .engine import Answered, Engine, Texts
from .fields import SWITCH, TEXT, WHOLE_NUMBER, RequestError, model_of, optional, required
from .scores import best_first, relevance
from .texts import texts_of, truncation_of


async def answer_rerank(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """The ``documents`` by their relevance to ``query``, as results from 1 to 0, highest first.

    A document is a string, or an object with its ``text``. ``usage`` counts the tokens that were read. Where pairs were
    cut, ``truncated`` lists the places of their documents: clients pass over that field.

    Raises RequestError for a field that cannot be used, and what `relevance` raises.
    """
    query, texts = required(body, "query", TEXT), documents_of(body)
    top_n = optional(body, "top_n", WHOLE_NUMBER)
    with_texts = optional(body, "return_documents", SWITCH, default=False)
    name = model_of(body) or engine.name
    truncate, cut_left = truncation_of(body)
    pairs = Texts([(query, text) for text in texts], "documents", truncate=truncate, cut_left=cut_left)
    logits, counts = await relevance(engine, pairs)
    scores = sigmoid(logits)
    results = [
        {
            "index": place,
            "relevance_score": scores[place],
            **({"document": {"text": texts[place]}} if with_texts else {}),
        }
        for place in best_first(logits)[:top_n]
    ]
    usage = {"total_tokens": counts.read}
    found = {"id": str(uuid4()), "model": name, "results": results, "usage": usage, **openai.truncated(counts)}
    return Answered(found, counts)


def documents_of(body: Mapping[str, Any]) -> list[str]:
    """The texts of the ``documents``; raises RequestError as `texts_of` does."""
    documents = body.get("documents")
    if isinstance(documents, list):
        for place, each in enumerate(documents):
            if isinstance(each, dict) and not isinstance(each.get("text"), str):
                raise RequestError(
                    f"`documents[{place}]` has no `text`; expected a string, or one as `text`", "documents"
                )
        documents = [each["text"] if isinstance(each, dict) else each for each in documents]
    return texts_of({"documents": documents}, "documents")


def failure(error: EdgeSTError) -> tuple[int, dict[str, Any]]:
    """The status and the body for ``error``."""
    status = openai.status_of(error)
    return status, error_body(status, str(error), getattr(error, "param", None))


def error_body(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    """The body that goes with an error's ``status``: Cohere's ``message`` beside OpenAI's ``error``."""
    return {"message": message, **openai.error_body(status, message, param)}
