"""Every error in every dialect: its status, and a body of the dialect's shape."""

from typing import Any

import pytest

from edge_st.protocols.fields import (
    NoSuchTaskError,
    OverloadedError,
    RequestError,
    UnavailableError,
    UnknownModelError,
)
from edge_st.protocols.routes import COHERE, OLLAMA, OPENAI, TEI, WEAVIATE, Dialect, dialect_of
from edge_st_runtime.errors import EdgeSTError, InputError, NotFiniteError, OptionError

ERRORS: list[tuple[EdgeSTError, int, int]] = [
    # with OpenAI's and with text-embeddings-inference's status
    (RequestError("no", "input"), 400, 422),
    (RequestError("no", "input", empty=True), 400, 400),
    (InputError("no"), 400, 422),
    (OptionError("no"), 400, 422),
    (NoSuchTaskError("no"), 400, 424),
    (UnknownModelError("x", ["a"]), 404, 404),
    (OverloadedError("no", 2.5), 429, 429),
    (UnavailableError("no"), 503, 503),
    (NotFiniteError("no"), 500, 424),
]


@pytest.mark.parametrize(("error", "status", "_"), ERRORS)
def test_openai(error: EdgeSTError, status: int, _: int) -> None:
    found, body = OPENAI.failure(error)
    assert (found, set(body["error"])) == (status, {"message", "type", "param", "code"})
    assert body["error"]["message"] == str(error)
    assert body["error"]["param"] == getattr(error, "param", None)


def test_openais_types_and_codes() -> None:
    found = {
        status: (body["error"]["type"], body["error"]["code"])
        for status, body in (OPENAI.failure(error) for error, *_ in ERRORS)
    }
    assert found == {
        400: ("invalid_request_error", None),
        404: ("invalid_request_error", "model_not_found"),
        429: ("rate_limit_error", "rate_limit_exceeded"),
        500: ("server_error", None),
        503: ("service_unavailable_error", None),
    }
    assert OPENAI.error_body(401, "no")["error"]["code"] == "invalid_api_key"
    assert OPENAI.error_body(404, "there is no such path")["error"]["code"] is None


@pytest.mark.parametrize(("error", "_", "status"), ERRORS)
def test_tei(error: EdgeSTError, _: int, status: int) -> None:
    found, body = TEI.failure(error)
    kinds = {400: "Empty", 404: "Validation", 422: "Validation", 424: "Backend", 429: "Overloaded", 503: "Unhealthy"}
    assert (found, body) == (status, {"error": str(error), "error_type": kinds[status]})


@pytest.mark.parametrize(("error", "status", "_"), ERRORS)
def test_cohere_ollama_and_weaviate(error: EdgeSTError, status: int, _: int) -> None:
    found, body = COHERE.failure(error)
    assert (found, body["message"], body["error"]["message"]) == (status, str(error), str(error))
    assert WEAVIATE.failure(error) == (status, {"error": str(error)})
    assert OLLAMA.failure(error) == (503 if status == 429 else status, {"error": str(error)})


@pytest.mark.parametrize("dialect", [OPENAI, TEI, COHERE, OLLAMA, WEAVIATE])
@pytest.mark.parametrize("status", [401, 404, 405, 413, 429, 500, 503])
def test_a_status_alone_has_a_body(dialect: Dialect, status: int) -> None:
    assert "why" in str(dialect.error_body(status, "why"))


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/embeddings", OPENAI),
        ("/v1/models", OPENAI),
        ("/v1/models/a", OPENAI),
        ("/embeddings", OPENAI),
        ("/elsewhere/at/all", OPENAI),
        ("/v1/rerank", COHERE),
        ("/v2/rerank", COHERE),
        ("/embed", TEI),
        ("/rerank", TEI),
        ("/info", TEI),
        ("/", TEI),
        ("/api/embed", OLLAMA),
        ("/api/tags", OLLAMA),
        ("/api/nothing", OLLAMA),
        ("/vectors", WEAVIATE),
        ("/.well-known/ready", WEAVIATE),
    ],
)
def test_a_path_has_its_dialect_before_the_body_is_read(path: str, dialect: Any) -> None:
    assert dialect_of(path) is dialect


def test_errors_keep_what_the_server_needs() -> None:
    assert (OverloadedError("no", 2.5).retry_after, UnavailableError("no").retry_after) == (2.5, None)
    error = UnknownModelError("x" * 500, ["a", "b"])
    assert (error.name, error.known, error.param) == ("x" * 500, ("a", "b"), "model")
    assert len(str(error)) < 100
