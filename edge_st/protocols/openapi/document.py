"""The whole document, as /openapi.json serves it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...version import __version__
from ..described import Described
from . import schema as s
from .answers import answer_schemas
from .operations import LISTINGS, OPERATIONS, Listing, Operation, default_schemas
from .requests import request_schemas

_DESCRIPTION = (
    "Embeddings, sparse embeddings and reranking, in the protocols of OpenAI, text-embeddings-inference, Cohere, Jina, "
    "Ollama and Weaviate. Every optional field may be null. Unknown fields have no effect."
)
_REFUSALS = {
    "400": "The body cannot be answered; the message names the field.",
    "401": "The key is missing or wrong.",
    "404": "There is no such model; the message names those there are.",
    "413": "The body or the number of texts is above the limit.",
    "429": "Too much is waiting; Retry-After says when to ask again.",
    "500": "The model failed.",
    "503": "Models are loading, or the service is ending.",
}
_OF_TEI = {
    "422": "The body cannot be answered; the message names the field.",
    "424": "The model is of another class, or failed.",
}


def document(
    described: Sequence[Described] = (), more: Mapping[str, Any] | None = None, *, server: str = "/"
) -> dict[str, Any]:
    """An OpenAPI 3.1 document of every route.

    It names the models in ``described``, and the sizes and prompts of those that are loaded. ``more`` are paths of the
    server's own; ``server`` is where all are mounted.
    """
    requests = request_schemas(described)
    schemas = {**requests, **default_schemas(requests), **answer_schemas()}
    paths = {path: {"post": _post(path, operation)} for path, operation in OPERATIONS.items()}
    for path, listing in LISTINGS.items():
        paths.setdefault(path, {})["get"] = _get(path, listing)
    return {
        "openapi": "3.1.0",
        "info": {"title": "edge-st", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": server}],
        "paths": {**paths, **(more or {})},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
        "security": [{}, {"bearer": []}, {"key": []}],
    }


def _post(path: str, operation: Operation) -> dict[str, Any]:
    examples = {name: {"value": value} for name, value in operation.examples.items()}
    content = {"application/json": {"schema": _any(operation.requests), "examples": examples}}
    return {
        "operationId": _identifier("post", path),
        "summary": operation.summary,
        "tags": [operation.tag],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": _response("The answer.", _any(operation.answers)),
            **_failures(operation.errors),
        },
    }


def _get(path: str, listing: Listing) -> dict[str, Any]:
    parameter = {"name": listing.parameter, "in": "path", "required": True, "schema": s.FILLED}
    found = _response("The answer.", None if listing.answer is None else s.ref(listing.answer))
    return {
        "operationId": _identifier("get", path),
        "summary": listing.summary,
        "tags": [listing.tag],
        **({"parameters": [parameter]} if listing.parameter else {}),
        "responses": {str(listing.status): found, **_failures((listing.error,), ("401", "404", "503"))},
    }


def _failures(errors: tuple[str, ...], only: Sequence[str] = ()) -> dict[str, Any]:
    """The answers for each status of an error, all or some."""
    texts = {**_REFUSALS, **(_OF_TEI if "TEIError" in errors else {})}
    return {status: _response(text, _any(errors)) for status, text in texts.items() if not only or status in only}


def _response(description: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"description": description, **content}


def _any(names: Sequence[str]) -> dict[str, Any]:
    return s.ref(names[0]) if len(names) == 1 else s.any_of(*map(s.ref, names))


def _identifier(method: str, path: str) -> str:
    return method + "".join(f"_{part.strip('{}.')}" for part in path.replace("-", "_").split("/") if part)
