"""From a request to an answer of the `protocols`, while the client is there."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from edge_st_runtime.errors import EdgeSTError, InputError, InputTypeError, OptionError

from ..protocols.fields import (
    NoSuchTaskError,
    OverloadedError,
    RequestError,
    UnavailableError,
    UnknownModelError,
    model_of,
)
from ..protocols.routes import Dialect, Find, dialect_of
from .bodies import parsed, written
from .record import Record, record_of
from .service import Service
from .tracing import EMBEDDINGS, note_embeddings
from .watching import CLIENT_LEFT

_T = TypeVar("_T")
_JSON = "application/json"
Endpoint = Callable[[Request], Awaitable[Response]]
_FAILURES: tuple[tuple[tuple[type[EdgeSTError], ...], str], ...] = (
    ((OverloadedError, UnavailableError), "overloaded"),
    ((NoSuchTaskError,), "model_type"),
    ((InputError, InputTypeError), "tokenization"),
    ((RequestError, UnknownModelError, OptionError), "validation"),
)


def answering(find: Find, service: Service) -> Endpoint:
    """An endpoint that answers bodies by the route that ``find`` finds."""

    async def answer(body: Mapping[str, Any], record: Record) -> Response:
        route = find(body)
        record.operation = route.operation
        async with service.engine(model_of(body), route.serves, record) as engine:
            answered = await route.answer(engine, body)
            if route.operation == EMBEDDINGS:
                note_embeddings(record, body, engine.model)
            return as_json(answered.body)

    return endpoint(answer, find)


def endpoint(
    answer: Callable[[Mapping[str, Any], Record], Coroutine[Any, Any, Response]], find: Find | None = None
) -> Endpoint:
    """An endpoint that parses bodies and gives them to ``answer``, whose errors it answers in the client's dialect.

    Work for a client that left is cancelled.
    """

    async def respond(request: Request) -> Response:
        record = record_of(request.scope)
        dialect = dialect_of(request.scope["path"].removeprefix(request.scope.get("root_path", "")))
        try:
            body = parsed(await request.body())
            if find is not None:
                dialect = find(body).dialect
            return await _unless_gone(request, answer(body, record))
        except EdgeSTError as error:
            record.failure = record.failure or _failure_of(error)
            return failed(dialect, error)
        except ClientDisconnect:
            record.failure = "dropped"
            return Response(status_code=CLIENT_LEFT)

    return respond


def as_json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``body``, which may hold NumPy's arrays, as a response."""
    return Response(written(body), status, headers, _JSON)


def failed(dialect: Dialect, error: EdgeSTError) -> Response:
    """The response for ``error``."""
    status, body = dialect.failure(error)
    after = getattr(error, "retry_after", None)
    return as_json(body, status, None if after is None else {"retry-after": str(max(1, round(after)))})


async def _unless_gone(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of ``work``, which is cancelled when the client leaves; raises ClientDisconnect then."""
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        gone.cancel()
        working.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _failure_of(error: EdgeSTError) -> str:
    return next((failure for classes, failure in _FAILURES if isinstance(error, classes)), "inference")
