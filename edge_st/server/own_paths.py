"""The paths of the OpenAPI document that no protocol has: the search in an index, and what the page shows."""

from typing import Any

from ..protocols.openapi import schema as s

_HIT = s.answer({"id": s.ANY, "score": s.NUMBER}, {"text": s.nullable(s.TEXT), "metadata": s.ANY})
_SEARCH = s.request(
    {"query": s.any_of(s.FILLED, s.array(s.FILLED, 1))},
    {
        "index": s.TEXT,
        "top_k": {"type": "integer", "minimum": 1},
        "filter": {"type": "object"},
        "score_threshold": s.NUMBER,
    },
)
_HITS = s.answer({"index": s.TEXT, "hits": s.any_of(s.array(_HIT), s.array(s.array(_HIT)))})
_REFUSALS = {
    "400": "The body cannot be answered; the message names the field.",
    "401": "The key is missing or wrong.",
    "404": "There is no such index; the message names those there are.",
    "413": "The body is above the limit.",
    "429": "Too much is waiting; Retry-After says when to ask again.",
    "503": "Models are loading, or the service is ending.",
}
_EXAMPLE = {"query": "how do I renew the certificate?", "top_k": 3}


def own_paths() -> dict[str, Any]:
    """The paths by name."""
    error = s.ref("OpenAIError")
    request = {"schema": _SEARCH, "examples": {"texts": {"value": _EXAMPLE}}}
    search = {
        "operationId": "post_search",
        "summary": "The texts of an index that answer a query.",
        "tags": ["edge-st"],
        "requestBody": {"required": True, "content": {"application/json": request}},
        "responses": {
            "200": _response("The hits, best first; for several queries a list for each.", _HITS),
            **{status: _response(text, error) for status, text in _REFUSALS.items()},
        },
    }
    numbers = {
        "operationId": "get_stats",
        "summary": "What waits, and how long the last requests took.",
        "tags": ["edge-st"],
        "responses": {"200": _response("The numbers.", {"type": "object"})},
    }
    return {"/search": {"post": search}, "/stats": {"get": numbers}}


def _response(description: str, schema: s.Schema) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
