"""Several processes of one server, and a server that is told to end under load."""

import json
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx
import pytest

from tests.support.exposition import numbers
from tests.support.serving import Served, free_port, served

BODY = {"inputs": "a text"}
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are found in /proc")


def workers_of(server: Served) -> set[int]:
    """The processes that serve."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_bytes()
        except OSError:  # ended meanwhile
            continue
        if parent == server.process.pid and b"spawn_main" in command:
            found.add(int(path.parent.name))
    return found


def shared_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("edge-st-metrics-*"))


def eventually(fulfilled: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not fulfilled() and time.monotonic() < end:
        time.sleep(0.1)
    return fulfilled()


def ask(address: str) -> int:
    """The status of a request over a connection of its own."""
    return httpx.post(f"{address}/embed", json=BODY, timeout=30).status_code


@pytest.mark.slow
def test_a_worker_that_is_killed_comes_back_and_the_others_go_on() -> None:
    before = shared_folders()
    with served("--port", "0", "--workers", "2") as server:
        address = server.address
        assert "by 2 processes" in server.wait_for(" serving ")
        first = workers_of(server)
        assert len(first) == 2
        assert [ask(address) for _ in range(20)] == [200] * 20

        def counted() -> list[float]:
            """What each of several scrapes, by whichever process, tells of the requests."""
            found = [numbers(httpx.get(f"{address}/metrics").text) for _ in range(6)]
            return [each.of("te_request_count", method="single") for each in found]

        assert counted() == [20] * 6
        loaded = numbers(httpx.get(f"{address}/metrics").text)
        assert loaded.of("edge_st_model_loaded", model="static-all-MiniLM-L6-v2") == 2
        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        statuses = [ask(address) for _ in range(20)]  # while it is away, and comes back
        assert statuses == [200] * 20
        server.wait_for(f"process {killed} died")
        assert eventually(lambda: len(workers_of(server)) == 2)
        assert (workers_of(server) & first) == first - {killed}

        def all_loaded() -> bool:
            found = numbers(httpx.get(f"{address}/metrics").text)
            return found.of("edge_st_model_loaded", model="static-all-MiniLM-L6-v2") == 2

        assert eventually(all_loaded)
        assert counted() == [40] * 6  # of the killed one, too
        assert server.end() == 0
        assert not workers_of(server)
    assert shared_folders() <= before


@pytest.mark.slow
def test_workers_end_with_their_parent() -> None:
    with served("--port", "0", "--workers", "2") as server:
        assert ask(server.address) == 200
        workers = workers_of(server)
        server.process.kill()
        server.process.wait()
        assert eventually(lambda: not any(Path(f"/proc/{each}").exists() for each in workers))


@pytest.mark.slow
def test_a_damaged_model_stops_all(tmp_path: Path) -> None:
    damaged = tmp_path / "mini"
    damaged.mkdir()
    (damaged / "config.json").write_text("{")
    with served("--port", str(free_port()), "--workers", "2", damaged) as server:
        assert server.ended() == 1
        assert len(server.lines) == 1
        assert server.lines[0].startswith(f"edge-st: error: {damaged}")


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "new"])
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_told_to_end_under_load_every_request_is_answered(workers: int, kept: bool) -> None:
    with served("--port", "0", "--workers", str(workers)) as server:
        found: Counter[str] = Counter()
        threads = [threading.Thread(target=hammer, args=(server.address, found, kept)) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        assert server.end() == 0
        for thread in threads:
            thread.join(10)
    assert found.pop("200") > 100
    assert found == {"refused": 8}  # the end of each thread


def hammer(address: str, found: Counter[str], kept: bool) -> None:
    """Ask until nobody listens any more, over one connection or always a new one; count what came of it."""
    url = httpx.URL(address)
    connection = HTTPConnection(url.host, url.port, timeout=20)
    while True:
        try:
            if connection.sock is None:
                connection.connect()
        except ConnectionRefusedError:
            found["refused"] += 1
            return
        try:
            connection.request("POST", "/embed", json.dumps(BODY))
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            found[repr(error)] += 1
            return
        found[str(answer.status)] += 1
        if not kept:
            connection.close()
