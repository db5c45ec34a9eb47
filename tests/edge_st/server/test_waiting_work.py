"""Work that waits: it keeps its model, is dropped with its client, and is refused where the queue is full."""

import asyncio
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tests.support.asking import is_empty
from tests.support.gated import Gated, gated
from tests.support.listening import served
from tests.support.service import Folders, service_of, wait_until

Closed = tuple[Starlette, Gated]


@pytest.fixture
def closed_gate(folders: Folders) -> Iterator[Closed]:
    """The application with one thread, whose dense model waits at a gate."""
    app = folders.app(lazy=True, threads=1, queue_tokens=8 * 40)
    service = service_of(app)
    asyncio.run(first_request(app))
    found = service._by_name["dense"].loaded
    assert found is not None
    ((key, steps),) = found.steps.items()
    found.steps[key], gate = gated(steps)
    yield app, gate
    gate.open()
    service.scheduler.close()


async def first_request(app: Starlette) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        assert (await client.post("/embed", json={"inputs": "a"})).status_code == 200


def test_a_model_is_not_unloaded_while_it_answers(closed_gate: Closed) -> None:
    app, gate = closed_gate
    served_model = service_of(app)._by_name["dense"]

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            working = asyncio.ensure_future(client.post("/embed", json={"inputs": "the fox"}))
            await asyncio.to_thread(gate.came, 1)
            assert not served_model.is_idle(0)
            gate.open()
            await working
            assert served_model.is_idle(0)

    asyncio.run(ask())


def test_the_work_of_a_client_that_left_is_dropped(closed_gate: Closed) -> None:
    """A real connection that is closed early."""
    app, gate = closed_gate
    service = service_of(app)
    with served(app) as server:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(httpx.post, f"{server.address}/embed", json={"inputs": ["the fox"]}, timeout=20)
            gate.came(1)
            leaving = send(server.address, {"inputs": ["the dog", "green sea"]})
            wait_until(lambda: service.waiting()["dense"][0] == 2)
            leaving.close()
            wait_until(lambda: service.waiting()["dense"] == (0, 0))
            gate.open()
            assert first.result().status_code == 200
        assert is_empty(service.scheduler)
        assert len(gate.rows()) == 1
        metrics = httpx.get(f"{server.address}/metrics").text
        assert 'te_request_failure{err="dropped"} 1.0' in metrics
        assert (
            httpx.post(
                f"{server.address}/embed", json={"inputs": ["the quick fox", "who remembers the dog"]}
            ).status_code
            == 200
        )


def send(address: str, body: Any) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    found = socket.create_connection((host, int(port)))
    content = json.dumps(body).encode()
    head = (
        f"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    found.sendall(head.encode() + content)
    return found


def test_a_full_queue_is_told_in_each_dialect(closed_gate: Closed) -> None:
    app, gate = closed_gate
    service = service_of(app)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", timeout=20) as client:
            working = [asyncio.ensure_future(client.post("/embed", json={"inputs": "the fox"}))]
            await asyncio.to_thread(gate.came, 1)
            some = ["the dog", "green sea", "old library", "nobody remembers", "lazy dog", "a door"]
            working.append(asyncio.ensure_future(client.post("/embed", json={"inputs": some})))
            while not service.waiting()["dense"][0]:
                await asyncio.sleep(0.001)
            more = [f"{text} {text}" for text in some]
            for path, body, status in (
                ("/embed", {"inputs": more}, 429),
                ("/v1/embeddings", {"input": more}, 429),
                ("/api/embed", {"input": more}, 503),
            ):
                found = await client.post(path, json={**body, "model": "dense"})
                assert found.status_code == status, found.text
                assert 1 <= int(found.headers["retry-after"]) <= 60
                assert "tokens wait" in found.text
            statistics = (await client.get("/stats")).json()
            assert statistics["queue"]["texts"] == statistics["models"]["dense"]["queue"]["texts"] == 6
            gate.open()
            assert {found.status_code for found in await asyncio.gather(*working)} == {200}

    asyncio.run(ask())
    assert is_empty(service.scheduler)
