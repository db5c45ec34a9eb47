"""The limit of a body."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from edge_st.server.config import Config
from edge_st.server.limits import BodyLimitMiddleware

MOST = 1000


@pytest.fixture(scope="module")
def limited(client_of: Callable[[Config], TestClient]) -> TestClient:
    return client_of(Config(max_body_bytes=MOST))


def test_a_body_of_the_limit_is_read(limited: TestClient) -> None:
    body = b'{"inputs": "a"}'
    assert limited.post("/embed", content=body.ljust(MOST)).status_code == 200


def test_a_larger_one_is_not(limited: TestClient) -> None:
    answer = limited.post("/embed", content=b" " * (MOST + 1))
    assert answer.status_code == 413
    assert answer.json() == {
        "error": "the body has 1001 bytes; expected at most 1000: send fewer texts at a time",
        "error_type": "Validation",
    }


@pytest.mark.parametrize(
    ("path", "read"), [("/v1/embeddings", lambda body: body["error"]["message"]), ("/api/embed", lambda b: b["error"])]
)
def test_the_shape_is_that_of_the_path(limited: TestClient, path: str, read: Callable[[Any], str]) -> None:
    answer = limited.post(path, content=b" " * 2000)
    assert answer.status_code == 413
    assert read(answer.json()).startswith("the body has 2000 bytes")


def test_chunks_are_counted(limited: TestClient) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        yield b'{"inputs": "a"}'
        yield from [b" " * 100] * count

    assert limited.post("/embed", content=chunks(9)).status_code == 200
    answer = limited.post("/embed", content=chunks(10))
    assert answer.status_code == 413
    assert answer.json()["error"].startswith("the body has more than 1000 bytes")


@pytest.mark.parametrize("length", ["1001", "9" * 20, "9" * 5000])
def test_a_body_that_is_too_long_is_not_read_at_all(length: str) -> None:
    assert asked(length, receive=never) == 413


def test_a_body_without_end_is_read_up_to_the_limit() -> None:
    given = 0

    async def endless() -> Message:
        nonlocal given
        given += 100
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    assert asked(None, endless) == 413
    assert given == MOST + 100


def test_all_requests_together_hold_a_bounded_number_of_bytes() -> None:
    async def ask_all() -> list[int]:
        rest = asyncio.Event()

        async def slow() -> Message:
            await rest.wait()
            return {"type": "http.request", "body": b"x" * MOST}

        limit = BodyLimitMiddleware(reading, MOST)
        waiting = [asyncio.ensure_future(status_of(limit, str(MOST), slow)) for _ in range(8)]
        await asyncio.sleep(0)
        refused = await status_of(limit, "1", never)
        rest.set()
        return [refused, *await asyncio.gather(*waiting), await status_of(limit, str(MOST), slow)]

    assert asyncio.run(ask_all()) == [429, *[200] * 9]


async def never() -> Message:
    pytest.fail("the body is read")


async def reading(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


def asked(length: str | None, receive: Receive) -> int:
    """The status of a POST with this Content-Length and body."""
    return asyncio.run(status_of(BodyLimitMiddleware(reading, MOST), length, receive))


async def status_of(limit: BodyLimitMiddleware, length: str | None, receive: Receive) -> int:
    """As `asked`, of this ``limit``."""
    headers = [] if length is None else [(b"content-length", length.encode())]
    scope = {"type": "http", "method": "POST", "path": "/embed", "headers": headers}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await limit(scope, receive, send)
    return int(sent[0]["status"])
