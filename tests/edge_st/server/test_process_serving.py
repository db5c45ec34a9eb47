"""``edge-st serve`` as a process of its own: it starts, answers, and ends."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from edge_st import SentenceTransformer
from tests.support.serving import Served, free_port, served

MODEL = "static-all-MiniLM-L6-v2"
BODY = {"inputs": "a text"}
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and Unix sockets")


def test_it_serves_the_bundled_model_and_says_so_in_one_line() -> None:
    with served("--port", "0") as server, server.client() as client:
        found = client.post("/embed", json=BODY)
        assert client.get("/ready").status_code == 200
        assert server.end() == 0
    np.testing.assert_allclose(found.json()[0], SentenceTransformer().encode("a text"), atol=1e-6)
    said = [line for line in server.lines if " serving " in line]
    assert len(said) == 1
    assert said[0].endswith(f" serving {MODEL} at {client.base_url}; no key is asked for\n".replace("/;", ";"))
    assert not any("error" in line for line in server.lines)
    assert not any("text/s" in line or "Traceback" in line for line in server.lines)


def test_logs_in_json(tmp_path: Path) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with served("--port", "0", "--log-format", "json") as server, server.client() as client:
        client.post("/embed", json=BODY, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        server.end()
    found = [json.loads(line) for line in server.lines if line.startswith("{")]
    (request,) = [each for each in found if each["logger"] == "edge_st.access"]
    assert (request["path"], request["status"], request["trace_id"]) == ("/embed", 200, trace)
    assert "a text" not in "".join(server.lines)


def test_models_and_keys_of_the_command_line(tiny_folder: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("alice:from-a-file\n")
    keys.chmod(0o600)
    arguments = ("--port", "0", f"mini={tiny_folder}", tiny_folder, "--keys", keys, "--log-level", "info")
    with served(*arguments, environment={"EDGE_ST_KEYS": "bob:from-env"}) as server, server.client() as client:
        assert f"serving mini, {tiny_folder.name} at" in server.wait_for(" serving ")
        assert client.get("/v1/models").status_code == 401
        for key in ("from-a-file", "from-env"):
            models = client.get("/v1/models", headers={"x-api-key": key}).json()
            assert [each["id"] for each in models["data"]] == ["mini", tiny_folder.name]
        command = Path(f"/proc/{server.process.pid}/cmdline")
        assert not command.exists() or b"from-" not in command.read_bytes()
        server.end()
    assert "key=bob" in "".join(server.lines)
    assert not any("from-" in line for line in server.lines)


@contextmanager
def half_sent(server: Served, path: str = "/embed", options: bytes = b"") -> Iterator[socket.socket]:
    """A connection whose request has come by half: the server has accepted it."""
    url = httpx.URL(server.address)
    body = json.dumps(BODY).encode()
    with socket.create_connection((url.host, url.port or 0), timeout=20) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode()
        connection.sendall(head + options + b"\r\n" + body[:5])
        time.sleep(0.2)
        yield connection


def rest_sent(connection: socket.socket) -> bytes:
    """The answer, when the rest of the request has been sent."""
    connection.sendall(json.dumps(BODY).encode()[5:])
    return received(connection)


def received(connection: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


def test_what_was_accepted_is_answered_before_the_end() -> None:
    with served("--port", "0") as server, half_sent(server) as connection:
        idle = socket.create_connection(connection.getpeername())
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1.0)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(connection.getpeername())
        assert server.process.poll() is None
        answer = rest_sent(connection)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"connection: close" in answer.lower()
        assert server.ended(5) == 0
        assert idle.recv(1) == b""
        idle.close()


def test_ready_says_no_while_draining() -> None:
    with served("--port", "0") as server, half_sent(server) as connection:
        url = httpx.URL(server.address)
        asking = socket.create_connection((url.host, url.port or 0), timeout=5)
        asking.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\n")  # the rest comes when the server ends
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        asking.sendall(b"\r\n")
        answer = received(asking)
        asking.close()
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"about to end" in answer
        assert b"200 OK" in rest_sent(connection)
        assert server.ended(5) == 0


def test_the_time_to_end_is_bounded() -> None:
    with served("--port", "0", "--drain-seconds", "1") as server, half_sent(server):
        begin = time.monotonic()
        assert server.end() == 0  # the rest of the request never comes
        assert 0.9 < time.monotonic() - begin < 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_drain_too(number: int) -> None:
    with served("--port", "0") as server, half_sent(server) as connection:
        server.process.send_signal(number)
        time.sleep(0.3)
        assert b"200 OK" in rest_sent(connection)
        assert server.ended(5) == 0


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # of a process that was killed
    with served("--uds", path) as server:
        assert server.address == f"unix:{path}"
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://x") as client:
            assert client.post("/embed", json=BODY).status_code == 200
        with served("--uds", path) as second:
            assert second.ended() == 1
            assert second.lines == [
                f"edge-st: error: another process listens at {path}; give another path with --uds\n"
            ]
        assert server.end() == 0
    assert not path.exists()


def test_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-out", certificate, "-keyout", key], check=True, capture_output=True)
    trusting = ssl.create_default_context(cafile=certificate)
    with served("--port", "0", "--ssl-certfile", certificate, "--ssl-keyfile", key) as server:
        assert server.address.startswith("https://127.0.0.1:")
        with server.client(verify=trusting) as client:
            assert client.post("/embed", json=BODY).status_code == 200
        server.end()


_HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_a_socket_that_systemd_hands_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        hand_over = (sys.executable, "-c", _HAND_OVER, str(number))
        with served(before=hand_over, pass_fds=[number]) as server, server.client() as client:
            assert server.address == f"http://127.0.0.1:{port}"
            assert client.post("/embed", json=BODY).status_code == 200
            server.end()


def test_a_file_descriptor() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        served("--fd", str(listener.fileno()), pass_fds=[listener.fileno()]) as server,
        server.client() as client,
    ):
        assert client.base_url.port == listener.getsockname()[1]
        assert client.post("/embed", json=BODY).status_code == 200
        server.end()


def test_a_damaged_model_is_named_and_nothing_starts(tiny_folder: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "mini"
    damaged.mkdir()
    (damaged / "config.json").write_text("{")
    port = str(free_port())
    with served("--port", port, damaged) as server:
        assert server.ended() == 1
        assert len(server.lines) == 1
        assert server.lines[0].startswith("edge-st: error: ")
        assert str(damaged) in server.lines[0]
    with served("--port", port, "--lazy", damaged, f"good={tiny_folder}") as server, server.client() as client:
        refused = client.post("/v1/embeddings", json={"input": "a", "model": "mini"})
        assert refused.status_code == 503
        assert str(damaged) in refused.json()["error"]["message"]
        assert client.post("/v1/embeddings", json={"input": "a", "model": "good"}).status_code == 200
        server.end()
