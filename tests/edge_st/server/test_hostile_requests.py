"""Bodies that are damaged on purpose: each gets an answer in time, none an error of the server's own."""

import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any

import httpx
import numpy as np
import pytest
import yaml
from starlette.testclient import TestClient

from tests.support.fuzzing.requests import Sent, requests
from tests.support.service import Folders, Same
from tests.support.serving import served

TEXTS = ["the quick fox", "who remembers the dog"]
_MANY, _AT_ONCE, _SECONDS = 5500, 8, 5
#: bytes that the server may take beside what it has after the first tenth
_GROWTH = 24 * 2**20


def check(found: httpx.Response, sent: Sent) -> int:
    """The status, after a check that it is one that clients understand, and that the body is JSON."""
    status = found.status_code
    assert status < 500 or status == 503, (sent, found.text)
    assert status != 503 or "retry-after" in found.headers, (sent, found.text)
    found.json()
    return status


def reached(statuses: Counter[int]) -> bool:
    """Whether the changes reach what is read, and some bodies still are right."""
    total = statuses.total()
    return statuses[200] > total / 50 and sum(statuses[status] for status in (400, 422)) > total / 3


def test_five_hundred(folders: Folders, same: Same) -> None:
    statuses: Counter[int] = Counter()
    with TestClient(folders.app(), raise_server_exceptions=False) as client:
        for sent in requests(500):
            begin = time.perf_counter()
            found = client.post(
                sent.path, content=sent.content, headers={k: v.encode("latin-1") for k, v in sent.headers.items()}
            )
            assert time.perf_counter() - begin < _SECONDS, sent
            statuses[check(found, sent)] += 1
        again = client.post("/embed", json={"inputs": TEXTS, "normalize": False})
        np.testing.assert_allclose(again.json(), same.dense.encode(TEXTS), atol=1e-6)
    assert reached(statuses), statuses


@pytest.mark.slow
def test_more_than_five_thousand_to_a_process(folders: Folders, same: Same, tmp_path: Path) -> None:
    (tmp_path / "serve.yaml").write_text(yaml.safe_dump(folders.configuration(cache_mb=1)), "utf-8")
    with served("--config", tmp_path / "serve.yaml", "--port", "0") as server:
        ask = asker(server.address)
        all_sent, statuses, memory = requests(_MANY), Counter[int](), []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for part in parts(all_sent):
                statuses += Counter(pool.map(ask, part))
                memory.append(resident(server.process.pid))
        with server.client() as client:
            again = client.post("/embed", json={"inputs": TEXTS, "normalize": False})
            np.testing.assert_allclose(again.json(), same.dense.encode(TEXTS), atol=1e-6)
            queue = client.get("/stats").json()["queue"]
        assert server.end() == 143
        log = "".join(server.lines)
    print(dict(statuses), [round(each / 2**20) for each in memory])
    assert statuses.total() == _MANY
    assert reached(statuses), statuses
    assert queue == {"texts": 0, "tokens": 0}
    assert memory[-1] - memory[0] < _GROWTH, memory
    assert "Traceback" not in log, log[-3000:]
    assert not re.search(r"sun shines|Bread is baked", log)  # no text is logged


def parts(all_sent: Iterator[Sent]) -> Iterator[list[Sent]]:
    while part := list(itertools.islice(all_sent, _MANY // 10)):
        yield part


def asker(address: str) -> Callable[[Sent], int]:
    """Sends a request, on a connection for each thread."""
    of_thread = local()

    def ask(sent: Sent) -> int:
        if not hasattr(of_thread, "client"):
            of_thread.client = httpx.Client(base_url=address, timeout=_SECONDS)
        headers: Any = {name: value.encode("latin-1") for name, value in sent.headers.items()}
        return check(of_thread.client.post(sent.path, content=sent.content, headers=headers), sent)

    return ask


def resident(pid: int) -> int:
    """Bytes of memory that the process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
