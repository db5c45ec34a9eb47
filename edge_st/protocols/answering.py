"""From a method, a path and a body to a status and an answer, for whatever carries the request."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from edge_st_runtime.errors import EdgeSTError

from ..models.classes import Model
from ..models.sparse_encoder import SparseEncoder
from . import cohere, openai, tei
from .fields import RequestError

Failure = Callable[[EdgeSTError], tuple[int, dict[str, Any]]]


class Route(NamedTuple):
    """What answers the body of a request, and what says why it cannot be answered."""

    answer: Callable[[Model, Mapping[str, Any]], Any]
    failure: Failure


class Answer(NamedTuple):
    """A status of HTTP, and a body that JSON can hold."""

    status: int
    body: Any


_EMBEDDINGS = Route(openai.answer_embeddings, openai.failure)
_EMBED = Route(tei.answer_embed, tei.failure)
_EMBED_SPARSE = Route(tei.answer_embed_sparse, tei.failure)
_SIMILARITY = Route(tei.answer_similarity, tei.failure)
_TEI_RERANK = Route(tei.answer_rerank, tei.failure)
_COHERE_RERANK = Route(cohere.answer_rerank, openai.failure)
_HEALTH = "/health"


def _rerank(_: Model, body: Mapping[str, Any]) -> Route:
    """TEI's clients and others POST to the same path, and wait for different answers."""
    return _TEI_RERANK if "documents" not in body else _COHERE_RERANK


def route_of_body(model: Model, body: Mapping[str, Any]) -> Route:
    """The route by the keys of ``body`` alone; raises RequestError where none fits."""
    if "input" in body:
        return _EMBEDDINGS
    if "query" in body:
        return _rerank(model, body)
    inputs = body.get("inputs")
    if isinstance(inputs, dict):
        return _SIMILARITY
    if inputs is not None:
        return _EMBED_SPARSE if isinstance(model, SparseEncoder) else _EMBED
    raise RequestError(
        f"the keys are {', '.join(body) or 'none'}; expected `input` (OpenAI), `inputs` "
        "(text-embeddings-inference), or `query` with `texts` or `documents`"
    )


_PATHS: Mapping[str, Callable[[Model, Mapping[str, Any]], Route]] = {
    "/embeddings": lambda *_: _EMBEDDINGS,
    "/embed": lambda *_: _EMBED,
    "/embed_sparse": lambda *_: _EMBED_SPARSE,
    "/similarity": lambda *_: _SIMILARITY,
    "/rerank": _rerank,
    "/": route_of_body,
}


def answer(model: Model, method: str, path: str, content: str | bytes) -> Answer:
    """The answer to a request. Errors are answers, too, in the shape of the path.

    What comes before a known path does not matter, such as /v1 or a stage.
    """
    if path.endswith(_HEALTH):
        return Answer(200, {"status": "ok"}) if method == "GET" else _wrong_method(method, "GET")
    find = next((find for known, find in _PATHS.items() if path.endswith(known)), None)
    if find is None:
        known = ", ".join(["/v1/embeddings", *list(_PATHS)[1:], _HEALTH])
        return Answer(*openai.failure_of(404, f"there is no {path!r}; expected one of {known}"))
    if method != "POST":
        return _wrong_method(method, "POST")
    failure: Failure = openai.failure if path.endswith("/embeddings") else tei.failure
    try:
        body = _parsed(content)
        route = find(model, body)
        failure = route.failure
        return Answer(200, route.answer(model, body))
    except EdgeSTError as error:
        return Answer(*failure(error))


def _parsed(content: str | bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content)
    except ValueError as error:  # of Unicode, too
        raise RequestError(f"the body is no JSON ({error}); expected an object") from None
    if not isinstance(body, dict):
        raise RequestError(f"the body is a JSON {type(body).__name__}; expected an object")
    return body


def _wrong_method(found: str, expected: str) -> Answer:
    return Answer(*openai.failure_of(405, f"the method is {found}; expected {expected}"))
