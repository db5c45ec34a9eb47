"""AWS Lambda's Runtime API on 127.0.0.1, as far as awslambdaric uses it: events go in, answers come out."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any

_BASE = "/2018-06-01/runtime"
_SECONDS = 60.0


class FunctionError(Exception):
    """What the function raised, as Lambda reports it: ``errorType`` and ``errorMessage``."""


@dataclass
class RuntimeApi:
    """The events that wait, and what came back: the kind "response", "error" or "init/error", and the content."""

    address: str
    events: "Queue[Any]" = field(default_factory=Queue)
    results: "Queue[tuple[str, Any]]" = field(default_factory=Queue)
    restored: threading.Event = field(default_factory=threading.Event)

    def result(self, event: Any, alive: Callable[[], bool], seconds: float = _SECONDS) -> Any:
        """What the function returns for ``event``; raises FunctionError for what it raises.

        Raises TimeoutError after ``seconds``, or once it is no longer ``alive``.
        """
        self.events.put(event)
        end = time.monotonic() + seconds
        while time.monotonic() < end and (alive() or not self.results.empty()):
            with suppress(Empty):
                kind, content = self.results.get(timeout=0.2)
                if kind != "response":
                    raise FunctionError(kind, content)
                return content
        raise TimeoutError("the function gave no answer")


@contextmanager
def runtime_api() -> Iterator[RuntimeApi]:
    """Serve the API for one execution environment."""
    server = _Server()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.api
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: an answer leaves in one piece, and at once: else each would wait 40 ms for the client to acknowledge its head
    wbufsize = -1
    disable_nagle_algorithm = True

    @property
    def _api(self) -> RuntimeApi:
        assert isinstance(self.server, _Server)
        return self.server.api

    def do_GET(self) -> None:
        api = self._api
        if self.path == f"{_BASE}/restore/next":
            api.restored.set()
            return self._answer(200, b"")
        deadline = int((time.time() + _SECONDS) * 1000)
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:embed",
        }
        return self._answer(200, json.dumps(api.events.get()).encode(), headers)

    def do_POST(self) -> None:
        api = self._api
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = "init/error" if self.path == f"{_BASE}/init/error" else self.path.rpartition("/")[2]
        api.results.put((kind, content))
        self._answer(202, b"{}")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = RuntimeApi(f"127.0.0.1:{self.server_port}")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that is stopped leaves its connection."""
