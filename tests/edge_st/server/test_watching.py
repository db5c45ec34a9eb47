"""What an answer tells in its headers, and the log of a request."""

import asyncio
import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from edge_st.server.config import Config
from edge_st.server.logs import JsonFormatter, LineFormatter, log_config
from edge_st.server.metrics import Metrics
from edge_st.server.record import Record, record_of
from edge_st.server.watching import WatchMiddleware, answer_headers
from tests.support.exposition import numbers
from tests.support.small_service import MODEL

SECRET = "nobody may log this text"


def test_an_answer_has_the_headers_of_text_embeddings_inference(client: TestClient) -> None:
    headers = client.post("/embed", json={"inputs": ["ab", "cde"]}).headers
    assert headers["x-compute-type"] == "cpu"
    assert headers["x-compute-characters"] == "5"
    assert int(headers["x-compute-tokens"]) >= 2
    parts = [int(headers[f"x-{part}-time"]) for part in ("tokenization", "queue", "inference")]
    assert sum(parts) <= int(headers["x-total-time"]) == int(headers["x-compute-time"]) < 5000
    assert headers["x-edge-st-truncated"] == "0"


def test_times_are_in_whole_milliseconds() -> None:
    record = Record(operation="rerank", texts=2, characters=30, tokens=12, truncated=1)
    record.tokenization, record.queue, record.inference = 0.0019, 0.25, 1.5
    assert dict(answer_headers(record, 1.7999)) == {
        b"x-compute-type": b"cpu", b"x-compute-time": b"1799", b"x-compute-characters": b"30",
        b"x-compute-tokens": b"12", b"x-total-time": b"1799", b"x-tokenization-time": b"1", b"x-queue-time": b"250",
        b"x-inference-time": b"1500", b"x-edge-st-truncated": b"1",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/health", "/metrics", "/v1/models/one"])
def test_other_answers_have_none(client: TestClient, path: str) -> None:
    assert not any(name.startswith("x-") for name in client.get(path).headers)


def test_pages_of_other_origins_may_read_them(client_of: Callable[[Config], TestClient]) -> None:
    client = client_of(Config(cors_origins=("https://a.example",), keys={"k": "name"}))
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization,content-type"
    assert client.options("/embed", headers=asked).status_code == 200  # without a key
    headers = {"Origin": "https://a.example", "Authorization": "Bearer k"}
    answer = client.post("/embed", json={"inputs": "a"}, headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert "x-edge-st-truncated" in answer.headers["access-control-expose-headers"]
    refused = client.post("/embed", json={"inputs": "a"}, headers={"Origin": "https://a.example"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://a.example"
    other = client.get("/health", headers={"Origin": "https://b.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.fixture
def lines() -> Iterator[Callable[[str], list[str]]]:
    """What was logged, in a format."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger, handler = logging.getLogger("edge_st.access"), Keep()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    formatters = {"line": LineFormatter(), "json": JsonFormatter()}
    try:
        yield lambda kind: [formatters[kind].format(record) for record in records]
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def test_a_request_is_one_line(client: TestClient, lines: Callable[[str], list[str]]) -> None:
    client.post("/embed", json={"inputs": SECRET})
    (line,) = lines("line")
    assert line.partition("Z INFO    ")[2].startswith("POST /embed 200 client=testclient ms=")
    assert f" model={MODEL} operation=embeddings texts=1 tokens=" in line
    (found,) = map(json.loads, lines("json"))
    assert found["time"].endswith("Z")
    assert {name: found[name] for name in ("level", "method", "path", "status", "model", "texts")} == {
        "level": "info", "method": "POST", "path": "/embed", "status": 200, "model": MODEL, "texts": 1,
    }  # fmt: skip
    assert found["ms"] >= found["inference_ms"] > 0
    assert SECRET not in line + lines("json")[0]


def test_a_path_cannot_forge_a_line(client: TestClient, lines: Callable[[str], list[str]]) -> None:
    client.get("/v1/models/a%0a2026-01-01T00:00:00Z INFO forged%1b[2J")
    for kind in ("line", "json"):
        (line,) = lines(kind)
        assert line.isprintable()
        assert "INFO forged" not in line


def test_probes_are_told_of_at_debug_only(client: TestClient, lines: Callable[[str], list[str]]) -> None:
    for path in ("/health", "/ready", "/metrics", "/.well-known/live"):
        client.get(path)
    assert [json.loads(line)["level"] for line in lines("json")] == ["debug"] * 4


def test_a_crash_is_counted_logged_and_raised(client_of: Any, lines: Callable[[str], list[str]]) -> None:
    client = client_of(Config())
    assert client.post("/crash").status_code == 500
    assert json.loads(lines("json")[0])["level"] == "warning"
    found = numbers(client.get("/metrics").text)
    assert found.of("edge_st_requests_total", key="", model="", path="/crash", status="500") == 1


def test_a_client_that_left_is_a_dropped_request() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        record_of(scope).operation = "embeddings"

    async def never() -> Message:
        raise AssertionError

    metrics = Metrics()
    scope = {"type": "http", "method": "POST", "path": "/embed", "headers": [], "endpoint": app}
    asyncio.run(WatchMiddleware(app, metrics)(scope, never, lambda _: never()))  # type: ignore[arg-type,return-value]
    found = numbers(metrics.exposition().decode())
    assert found.of("te_request_failure", err="dropped") == 1
    assert found.of("edge_st_requests_total", key="", model="", path="/embed", status="499") == 1


def test_when_nobody_listens_connections_are_closed(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "close" not in client.get("/health").headers.get("connection", "")
    monkeypatch.setattr("edge_st.server.watching.accepting", lambda: False)
    assert client.get("/health").headers["connection"] == "close"


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)])
def test_levels(level: str, shown: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    config = log_config("json", level)
    del config["root"]  # that of all tests stays as it is
    own = config["loggers"]["edge_st.server"]
    config["loggers"] = {"edge_st.some": own | {"handlers": ["messages"], "propagate": False}}
    logging.config.dictConfig(config)
    logger = logging.getLogger("edge_st.some.part")
    for number in (logging.DEBUG, logging.INFO, logging.WARNING):
        logger.log(number, "a message\nof two lines")
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [each["message"] for each in found] == ["a message\nof two lines"] * shown
