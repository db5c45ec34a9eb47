"""Who may ask."""

import hmac
import json
import logging
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from edge_st.server.config import Config

KEYS = {"secret-a": "alice", "secret-b": "bob"}
BODY = {"inputs": "a text"}


@pytest.fixture(scope="module")
def asked(client_of: Callable[[Config], TestClient]) -> TestClient:
    return client_of(Config(keys=KEYS))


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer secret-a"},
        {"Authorization": "bearer   secret-a"},
        {"Authorization": "secret-a"},
        {"X-API-Key": "secret-a"},
        {"Authorization": "Basic bm9ib2R5", "x-api-key": "secret-b"},
    ],
)
def test_every_form_of_a_key_is_taken(asked: TestClient, headers: dict[str, str]) -> None:
    assert asked.post("/embed", json=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer secret-"},
        {"Authorization": "Bearer secret-aa"},
        {"Authorization": "Bearer Bearer secret-a"},
        {"x-api-key": "Bearer secret-a"},
        {"x-api-key": "secret\xe4"},
    ],
)
def test_anything_else_is_refused(asked: TestClient, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = asked.post("/embed", json=BODY, headers=raw)  # type: ignore[arg-type]  # bytes, too
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not any(key in answer.text for key in KEYS)


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/v1/embeddings", lambda body: (body["error"]["code"], body["error"]["message"])),
        ("/embed", lambda body: (None, body["error"])),
        ("/api/embed", lambda body: (None, body["error"])),
        ("/nowhere", lambda body: (body["error"]["code"], body["error"]["message"])),
    ],
)
def test_the_answer_has_the_shape_of_the_path(
    asked: TestClient, path: str, read: Callable[..., tuple[str, str]]
) -> None:
    kind, message = read(asked.post(path, json=BODY).json())
    assert kind in {"invalid_api_key", None}
    assert message == "there is no key; send one as the header `Authorization: Bearer KEY` or `x-api-key: KEY`"


@pytest.mark.parametrize("path", ["/health", "/ready", "/ping", "/metrics", "/.well-known/live", "/"])
def test_probes_and_the_page_ask_for_no_key(asked: TestClient, path: str) -> None:
    assert asked.get(path).status_code == 200


def test_a_post_to_the_page_asks_for_one(asked: TestClient) -> None:
    assert asked.post("/", json=BODY).status_code == 401


def test_every_key_is_compared(asked: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def compare(known: bytes, found: bytes) -> bool:
        compared.append(known)
        return real(known, found)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for key in ("secret-a", "secret-b", "other"):
        compared.clear()
        asked.post("/embed", json=BODY, headers={"Authorization": key})
        assert len(compared) == len(KEYS)
        assert {len(each) for each in compared} == {32}


def test_the_name_is_logged_and_counted_and_the_key_is_not(asked: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "edge_st.access"):
        asked.post("/embed", json=BODY, headers={"Authorization": "Bearer secret-b"})
        asked.post("/embed", json=BODY, headers={"Authorization": "Bearer wrong-key"})
    told = [record.__dict__["fields"] for record in caplog.records]
    assert [fields.get("key") for fields in told] == ["bob", None]
    metrics = asked.get("/metrics").text
    assert 'edge_st_requests_total{key="bob",' in metrics
    for shown in (json.dumps(told), caplog.text, metrics):
        assert "secret-" not in shown
        assert "wrong-key" not in shown
