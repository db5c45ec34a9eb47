"""Models that are loaded, unloaded or damaged, and the start and the end of the service."""

import asyncio
import gc
import shutil
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from edge_st.models.classes import open_model
from edge_st.protocols.fields import UnavailableError
from edge_st.server import create_app, draining
from edge_st_runtime.errors import FolderError
from tests.support.service import Folders, Same, service_of, wait_until

TEXTS = ["the quick fox", "who remembers the dog"]


def embed(client: Any, model: str = "dense") -> Any:
    return client.post("/embed", json={"inputs": TEXTS, "normalize": False, "model": model})


def loaded(app: Starlette) -> list[str]:
    return [name for name, found in app.state.service.loaded().items() if found]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The models that are opened while the test runs, in order; each takes a little longer."""
    found: list[Any] = []

    def opening(model: Any, **options: Any) -> Any:
        found.append(model)
        time.sleep(0.1)
        return open_model(model, **options)

    monkeypatch.setattr("edge_st.server.served.open_model", opening)
    return found


def test_models_are_loaded_at_the_start(folders: Folders, opened: list[Any]) -> None:
    app = folders.app()
    assert (loaded(app), opened) == ([], [])
    with TestClient(app) as client:
        assert loaded(app) == ["dense", "sparse", "reranker", "classifier", "static"]
        assert embed(client).status_code == 200
    assert len(opened) == 5


def test_lazy_models_are_loaded_once_for_all_that_wait(folders: Folders, same: Same, opened: list[Any]) -> None:
    app = folders.app(lazy=True)
    with TestClient(app) as client:
        assert client.get("/ready").status_code == 200
        assert (loaded(app), opened) == ([], [])
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: embed(client), range(8)))
        for each in answers:
            np.testing.assert_allclose(each.json(), same.dense.encode(TEXTS), atol=1e-6)
        assert opened == [str(folders.dense)]
        assert loaded(app) == ["dense"]
        found = client.post("/rerank", json={"query": "a", "texts": ["b"]})
        assert found.status_code == 200
        assert "reranker" in loaded(app)
        assert len(opened) == len(set(map(str, opened)))


def test_a_client_that_leaves_while_a_model_loads_spoils_nothing(
    folders: Folders, same: Same, opened: list[Any]
) -> None:
    app = folders.app(lazy=True)

    async def ask() -> None:
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as it:
            first = asyncio.ensure_future(it.post("/embed", json={"inputs": TEXTS}))
            await asyncio.sleep(0.03)
            first.cancel()
            second = await it.post("/embed", json={"inputs": TEXTS, "normalize": False})
            np.testing.assert_allclose(second.json(), same.dense.encode(TEXTS), atol=1e-6)

    asyncio.run(ask())
    assert opened == [str(folders.dense)]


@pytest.fixture
def damaged(folders: Folders, tmp_path: Path) -> Path:
    """A copy of the dense model whose graph is cut short."""
    path = shutil.copytree(folders.dense, tmp_path / "damaged")
    graph = path / "onnx" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:1000])
    return path


def test_a_damaged_model_ends_the_start(folders: Folders, damaged: Path) -> None:
    app = create_app({"models": [str(folders.dense), {"model": str(damaged), "name": "broken"}]})
    with pytest.raises(FolderError, match="damaged"), TestClient(app):
        pass


def test_a_damaged_lazy_model_is_unavailable_and_others_answer(folders: Folders, same: Same, damaged: Path) -> None:
    models = [{"model": str(damaged), "name": "broken"}, {"model": str(folders.dense), "name": "dense"}]
    with TestClient(create_app({"models": models, "lazy": True})) as client:
        for path, body in (
            ("/embed", {"inputs": "a"}),
            ("/v1/embeddings", {"input": "a"}),
            ("/api/embed", {"input": "a"}),
        ):
            found = client.post(path, json={**body, "model": "broken"})
            assert found.status_code == 503
            assert "the model 'broken' does not load" in found.text
        np.testing.assert_allclose(embed(client).json(), same.dense.encode(TEXTS), atol=1e-6)
        without_a_name = client.post("/embed", json={"inputs": TEXTS, "normalize": False})
        np.testing.assert_allclose(without_a_name.json(), same.dense.encode(TEXTS), atol=1e-6)
        shutil.rmtree(damaged)
        shutil.copytree(folders.dense, damaged)  # it is mended, and tried again
        assert client.post("/embed", json={"inputs": "a", "model": "broken"}).status_code == 200


def test_a_model_that_nobody_asks_is_unloaded_and_comes_back(folders: Folders, same: Same) -> None:
    app = folders.app(lazy=True, unload_after=0.2)
    with TestClient(app) as client:
        embed(client)
        assert client.post("/search", json={"query": "a"}).status_code == 200
        model = weakref.ref(service_of(app)._by_name["dense"].loaded.model)  # type: ignore[union-attr]
        wait_until(lambda: loaded(app) == [])
        wait_until(lambda: gone(model))  # a thread that has just answered may hold it for a moment
        assert client.get("/v1/models").json()["data"][0]["loaded"] is False
        np.testing.assert_allclose(embed(client).json(), same.dense.encode(TEXTS), atol=1e-6)
        assert client.post("/search", json={"query": "a"}).status_code == 200
        assert loaded(app) == ["dense"]


def gone(model: "weakref.ref[Any]") -> bool:
    gc.collect()
    return model() is None


def test_not_ready_before_the_start_and_at_the_end(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    app = folders.app()
    service = service_of(app)
    with pytest.raises(UnavailableError, match="being loaded"):
        service.check_ready()

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            for path in ("/ready", "/health/ready", "/.well-known/ready"):
                found = await client.get(path)
                assert (found.status_code, found.headers["retry-after"]) == (503, "1")
            assert (await client.get("/health")).status_code == 200
            starting = asyncio.ensure_future(service.start())
            await asyncio.sleep(0)
            found = await client.post("/v1/embeddings", json={"input": "a"})
            assert (found.status_code, found.json()["error"]["type"]) == (503, "service_unavailable_error")
            await starting
            assert (await client.get("/ready")).status_code == 200
            event = threading.Event()
            event.set()
            monkeypatch.setattr(draining, "_begun", event)
            assert (await client.get("/ready")).status_code == 503
            assert (await client.post("/embed", json={"inputs": "a"})).status_code == 200  # it was accepted
        await service.stop()

    asyncio.run(ask())


def test_threads_end_with_the_application(folders: Folders) -> None:
    before = set(threading.enumerate())
    with TestClient(folders.app(threads=2)) as client:
        embed(client)
        names = [thread.name for thread in set(threading.enumerate()) - before]
        assert sum(name.startswith(("edge-st small", "edge-st bulk")) for name in names) == 4
    wait_until(lambda: not any(thread.name.startswith("edge-st") for thread in set(threading.enumerate()) - before))
