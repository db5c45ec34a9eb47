"""Each request is timed, counted and told of, and its answer says in headers what was done."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .draining import accepting
from .logs import log_request
from .metrics import Metrics
from .record import Record, record_of

#: the status that is counted and logged for a client that left before its answer
CLIENT_LEFT: Final = 499
_NO_INFERENCE = frozenset({"tokenize", "decode", "show"})
_NOT_FOUND = 404
_REFRESHED_EVERY = 1.0  # seconds


class WatchMiddleware:
    """The outermost part: it makes the `Record` of a request, and reads it when the answer is given."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "lifespan" and self.metrics.shared is not None:
            await self._refreshing(scope, receive, send)
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        else:
            await self._watch(scope, receive, send)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        record, begin, status = record_of(scope), perf_counter(), CLIENT_LEFT

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = answer_headers(record, perf_counter() - begin) if status < 400 else []
                closing = [(b"connection", b"close")] if not accepting() else []
                message = {**message, "headers": [*message.get("headers", []), *headers, *closing]}
            await send(message)

        try:
            await self.app(scope, receive, told)
        except Exception:
            status = 500
            raise
        finally:
            self._finish(scope, record, status, perf_counter() - begin)

    def _finish(self, scope: Scope, record: Record, status: int, seconds: float) -> None:
        if status == CLIENT_LEFT and record.operation is not None:
            record.failure = "dropped"
        computed = record.operation is not None and record.operation not in _NO_INFERENCE
        if computed:
            self.metrics.computed(record, seconds)
        self.metrics.answered(
            path=_route(scope, status),
            method=_method(record) if computed or record.failure is not None else None,
            status=status,
            failure=record.failure,
            model=record.model,
            key=record.key,
            seconds=seconds,
        )
        log_request(scope, record, status, seconds)

    async def _refreshing(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep the numbers fresh that other processes show, while the application lives."""
        task = asyncio.create_task(self._refresh())
        try:
            await self.app(scope, receive, send)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _refresh(self) -> None:
        while True:
            self.metrics.refresh()
            await asyncio.sleep(_REFRESHED_EVERY)


def answer_headers(record: Record, seconds: float) -> list[tuple[bytes, bytes]]:
    """The headers of text-embeddings-inference (times in whole milliseconds), and how many texts were cut.

    There are none where no model was asked.
    """
    if record.operation is None or record.texts == 0:
        return []
    total = _milliseconds(seconds)
    found: Iterable[tuple[str, object]] = (
        ("x-compute-type", "cpu"),
        ("x-compute-time", total),
        ("x-compute-characters", record.characters),
        ("x-compute-tokens", record.tokens),
        ("x-total-time", total),
        ("x-tokenization-time", _milliseconds(record.tokenization)),
        ("x-queue-time", _milliseconds(record.queue)),
        ("x-inference-time", _milliseconds(record.inference)),
        ("x-edge-st-truncated", record.truncated),
    )
    return [(name.encode(), str(value).encode()) for name, value in found]


def _method(record: Record) -> str:
    return "batch" if record.texts > 1 else "single"


def _route(scope: Scope, status: int) -> str:
    """The path with the names of its parameters for their values; "other" where there is no such route."""
    if "endpoint" not in scope or status == _NOT_FOUND:
        return "other"
    path = str(scope["path"])
    for name, value in scope.get("path_params", {}).items():
        path = path.replace(str(value), f"{{{name}}}")
    return path


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
