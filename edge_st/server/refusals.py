"""Answers to requests that no model sees, in the shape that the path's clients read."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

from ..protocols.routes import dialect_of


def refusal(path: str, status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """``message`` as the answer with ``status`` (401 or 413) to a request for ``path``."""
    return JSONResponse(dialect_of(path).error_body(status, message), status, headers)
