from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import HubServer, hub_server, use


@pytest.fixture(scope="session")
def running() -> Iterator[HubServer]:
    with hub_server() as server:
        yield server


@pytest.fixture
def hub(running: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    running.reset()
    return use(running, monkeypatch, tmp_path)
