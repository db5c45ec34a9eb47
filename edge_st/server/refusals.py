"""Answers to requests that no model sees, in the shape that the path's clients read."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

from ..protocols import openai

_OLLAMA = "/api/"
_TEI = frozenset(
    {
        *("/", "/embed", "/embed_all", "/embed_sparse", "/rerank", "/predict", "/similarity", "/tokenize", "/decode"),
        *("/info", "/invocations", "/vectors", "/meta"),
    }
)
_CODES = {401: "invalid_api_key"}
_TYPES = {401: "Unauthorized", 413: "Validation"}


def refusal(path: str, status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """``message`` as the answer with ``status`` (401 or 413) to a request for ``path``.

    OpenAI's and Cohere's clients find it under ``error``, as do those of every path that is not known.
    """
    if path.startswith(_OLLAMA):
        body: dict[str, Any] = {"error": message}
    elif path in _TEI:
        body = {"error": message, "error_type": _TYPES[status]}
    else:
        _, body = openai.failure_of(status, message)
        body["error"]["code"] = _CODES.get(status)
    return JSONResponse(body, status, headers)
