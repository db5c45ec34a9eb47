"""Trace ids in logs, and spans for OpenTelemetry."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_tracer
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_st.server import create_app
from edge_st.server.record import Record, record_of
from edge_st.server.tracing import SpanMiddleware, TraceIdMiddleware, can_trace

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACE_PARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> Iterator[TracerProvider]:
    found = TracerProvider()
    found.add_span_processor(SimpleSpanProcessor(exporter))
    yield found
    found.shutdown()


def answering(status: int, **facts: Any) -> ASGIApp:
    """An application that answers with ``status``, and knows ``facts`` of the request."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        record = record_of(scope)
        for name, value in facts.items():
            setattr(record, name, value)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


def span_of(provider: TracerProvider, exporter: InMemorySpanExporter, app: ASGIApp, **headers: str) -> ReadableSpan:
    TestClient(SpanMiddleware(app, provider)).post("/v1/embeddings", headers=headers)
    (span,) = exporter.get_finished_spans()
    return span


def test_a_span_is_named_by_operation_and_model(provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
    app = answering(
        200, operation="embeddings", model="minilm", texts=2, tokens=9, truncated=1,
        extra={"gen_ai.embeddings.dimension.count": 384, "gen_ai.request.encoding_formats": ["base64"], "other": 1},
    )  # fmt: skip
    span = span_of(provider, exporter, app, traceparent=TRACE_PARENT)
    assert span.name == "embeddings minilm"
    assert span.kind is SpanKind.SERVER
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST", "url.path": "/v1/embeddings", "http.response.status_code": 200,
        "gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "edge_st", "gen_ai.request.model": "minilm",
        "gen_ai.usage.input_tokens": 9, "gen_ai.embeddings.dimension.count": 384,
        "gen_ai.request.encoding_formats": ("base64",), "edge_st.texts": 2, "edge_st.truncated": 1,
        "edge_st.cached": 0,
    }  # fmt: skip
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT


def test_without_a_parent_a_trace_begins(provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
    record = Record()
    span = span_of(provider, exporter, answering(200, extra=record.extra))
    assert span.parent is None
    assert span.name == "POST /v1/embeddings"


@pytest.mark.parametrize(
    ("status", "failure", "code", "kind"),
    [(424, "inference", StatusCode.UNSET, "inference"), (503, None, StatusCode.ERROR, "503")],
)
def test_failures(
    provider: TracerProvider,
    exporter: InMemorySpanExporter,
    status: int,
    failure: str | None,
    code: StatusCode,
    kind: str,
) -> None:
    span = span_of(provider, exporter, answering(status, operation="rerank", model="m", failure=failure))
    assert span.name == "rerank m"
    assert span.status.status_code is code
    assert (span.attributes or {})["error.type"] == kind


def test_a_crash_is_an_error_with_its_exception(provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
    async def crash(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    client = TestClient(SpanMiddleware(crash, provider), raise_server_exceptions=False)
    client.post("/embed")
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


def test_an_instrumentation_around_the_application_is_the_parent(
    provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    inner = SpanMiddleware(answering(200), provider)

    async def instrumented(scope: Scope, receive: Receive, send: Send) -> None:
        with get_tracer("other", tracer_provider=provider).start_as_current_span("outer"):
            await inner(scope, receive, send)

    TestClient(instrumented).post("/embed", headers={"traceparent": TRACE_PARENT})
    span, outer = exporter.get_finished_spans()
    assert span.parent == outer.context
    assert span.kind is SpanKind.INTERNAL


def test_reading_leaves_no_span(provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
    TestClient(SpanMiddleware(answering(200), provider)).get("/health")
    assert not exporter.get_finished_spans()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (TRACE_PARENT, TRACE),
        (f"01-{TRACE}-{PARENT}-01-more", TRACE),
        ("", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}", None),
        (f"00-{TRACE}-{PARENT}-01\nforged", None),
    ],
)
def test_the_header_is_read_as_trace_context_writes_it(header: str, expected: str | None) -> None:
    found: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.update(record_of(scope).extra)

    async def nothing() -> Message:
        raise AssertionError

    scope = {"type": "http", "headers": [(b"traceparent", header.encode())]}
    coroutine = TraceIdMiddleware(app)(scope, nothing, nothing)  # type: ignore[arg-type]
    with pytest.raises(StopIteration):
        coroutine.send(None)  # type: ignore[attr-defined]  # an async def
    assert found.get("trace_id") == expected


def test_the_id_is_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "edge_st.access"):
        client.post("/embed", json={"inputs": "a"}, headers={"traceparent": TRACE_PARENT})
    (record,) = caplog.records
    assert record.__dict__["fields"]["trace_id"] == TRACE


@pytest.mark.parametrize(
    ("body", "dimension", "formats"),
    [
        ({"input": "a", "encoding_format": "base64", "dimensions": 64}, 64, ["base64"]),
        ({"input": "a", "encoding_format": None}, 256, None),
    ],
)
def test_the_application_notes_dimension_and_format(body: Any, dimension: int, formats: list[str] | None) -> None:
    found: dict[str, Any] = {}
    app = create_app()

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        if scope["type"] == "http":
            found.update(record_of(scope).extra)

    with TestClient(noting) as client:
        assert client.post("/v1/embeddings", json=body).status_code == 200
    assert found["gen_ai.embeddings.dimension.count"] == dimension
    assert found.get("gen_ai.request.encoding_formats") == formats


def test_without_opentelemetry_nothing_of_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_trace()
    find: Callable[[str], Any] = lambda _: None  # noqa: E731
    monkeypatch.setattr("edge_st.server.tracing.find_spec", find)
    assert not can_trace()
