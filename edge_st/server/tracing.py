"""Traces: the caller's trace id goes to the logs, and OpenTelemetry, where it is installed, gets a span.

The span follows OpenTelemetry's conventions for generative AI, which know of embeddings; reranking and other operations
go by the same attributes under their own names.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..models.classes import Model
from ..models.sentence_transformer import SentenceTransformer
from ..version import __version__
from .probing import path_of
from .record import Record, record_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

#: the operation of which OpenTelemetry's conventions know
EMBEDDINGS: Final = "embeddings"
_TRACE_ID = "trace_id"
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_GEN_AI = "gen_ai."
_SERVER_ERROR = 500


def note_embeddings(record: Record, body: Mapping[str, Any], model: Model) -> None:
    """Note what the span of embeddings tells of the ``body`` of a request: their format and their dimension."""
    encoding, dimensions = body.get("encoding_format"), body.get("dimensions")
    if isinstance(encoding, str):
        record.extra["gen_ai.request.encoding_formats"] = [encoding]
    if isinstance(model, SentenceTransformer):
        record.extra["gen_ai.embeddings.dimension.count"] = dimensions or model.get_embedding_dimension()


def can_trace() -> bool:
    """Whether OpenTelemetry's API is installed."""
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.trace") is not None


class TraceIdMiddleware:
    """Notes the trace that the header ``traceparent`` names, as W3C's Trace Context writes it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"traceparent" and (found := _TRACE_PARENT.fullmatch(value.decode("latin-1"))):
                    record_of(scope).extra[_TRACE_ID] = found[1]
        await self.app(scope, receive, send)


class SpanMiddleware:
    """A span for each POST, named by operation and model, as a child of the caller's.

    ``provider`` None is the one that the process has set.
    """

    def __init__(self, app: ASGIApp, provider: "TracerProvider | None" = None) -> None:
        from opentelemetry import trace

        self.app, self._provider = app, provider
        self._tracer = trace.get_tracer("edge_st", __version__, provider)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on within its span."""
        if scope["type"] != "http" or scope["method"] != "POST" or not self._is_heard():
            await self.app(scope, receive, send)
            return
        from opentelemetry import propagate, trace

        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        record, path = record_of(scope), path_of(scope)
        outer = trace.get_current_span().get_span_context().is_valid  # of an instrumentation around this application
        context = None if outer else propagate.extract(Headers(scope=scope))
        kind = trace.SpanKind.INTERNAL if outer else trace.SpanKind.SERVER
        with self._tracer.start_as_current_span(f"POST {path}", context, kind) as span:
            found = span.get_span_context()
            if found.is_valid:
                record.extra[_TRACE_ID] = trace.format_trace_id(found.trace_id)
            try:
                await self.app(scope, receive, told)
            finally:
                _describe(span, record, path, status)

    def _is_heard(self) -> bool:
        """Whether somebody takes spans."""
        from opentelemetry import trace

        return self._provider is not None or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _describe(span: "Span", record: Record, path: str, status: int) -> None:
    """Name the span and give it what is known of the request."""
    from opentelemetry.trace import StatusCode

    found: dict[str, Any] = {"http.request.method": "POST", "url.path": path}
    if status:
        found["http.response.status_code"] = status
    if record.operation is not None:
        span.update_name(" ".join(filter(None, (record.operation, record.model))))
        found |= {
            "gen_ai.operation.name": record.operation,
            "gen_ai.provider.name": "edge_st",
            "gen_ai.usage.input_tokens": record.tokens,
            "edge_st.texts": record.texts,
            "edge_st.truncated": record.truncated,
            "edge_st.cached": record.cached,
        }
    if record.model is not None:
        found["gen_ai.request.model"] = record.model
    found |= {name: value for name, value in record.extra.items() if name.startswith(_GEN_AI)}
    if record.failure is not None or status >= _SERVER_ERROR:
        found["error.type"] = record.failure or str(status)
    if status >= _SERVER_ERROR:
        span.set_status(StatusCode.ERROR)
    span.set_attributes(found)
