"""A small Hub on 127.0.0.1: the part of its HTTP interface that downloads need, with every request in ``log``.

Large files (by suffix, as the Hub's .gitattributes has it) carry their SHA-256, the others their git blob id.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

LARGE = (".onnx", ".onnx_data", ".bin", ".safetensors")


@dataclass
class Repository:
    """Files of one commit, which is called by its hash, "main", or any name in ``revisions``."""

    files: dict[str, bytes]
    revisions: set[str] = field(default_factory=lambda: {"main"})
    token: str | None = None  # gated: needs this token

    @cached_property
    def commit(self) -> str:
        """A hash over names and contents."""
        return hashlib.sha1(
            repr([(name, blob_id(self.files[name])) for name in sorted(self.files)]).encode()
        ).hexdigest()


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    range: str | None

    @property
    def file(self) -> str | None:
        """The file of a ``resolve`` request."""
        _, separator, rest = self.path.partition("/resolve/")
        return rest.partition("/")[2] if separator else None


@dataclass
class HubServer:
    """The state that tests read and change while the server runs."""

    url: str
    repositories: dict[str, Repository] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)
    corrupt: set[str] = field(default_factory=set)  # files served with one bit turned
    stall: dict[str, int] = field(default_factory=dict)  # file → bytes after which the answer stops, once
    instead: dict[str, Callable[["Handler"], None]] = field(default_factory=dict)  # file or "list" → who answers
    stalled: threading.Event = field(default_factory=threading.Event)
    resume: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, files: Mapping[str, bytes], *, token: str | None = None) -> Repository:
        """Publish a repository, in place of an older one of this name."""
        self.repositories[name] = Repository(dict(files), token=token)
        return self.repositories[name]

    def reset(self) -> None:
        """Forget everything but the address."""
        for state in (self.repositories, self.log, self.corrupt, self.stall, self.instead):
            state.clear()
        self.stalled.clear()
        self.resume.clear()

    def requested(self, method: str = "GET") -> set[str]:
        """The files that were asked for."""
        return {request.file for request in self.log if request.method == method and request.file}


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """A running server."""
    state = HubServer("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": state}))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.resume.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes
    hub: HubServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it so
        """Keep the tests' output clean."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.log.append(Request(self.command, path, self.headers.get("Range")))
        other = self.hub.instead.get(self.hub.log[-1].file or "list")
        if other is not None:
            with suppress(OSError):  # the client hangs up
                other(self)
            self.close_connection = True
            return
        if path.startswith("/api/models/"):
            name, _, rest = _split(path.removeprefix("/api/models/"))
            kind, _, revision = rest.partition("/")
            if repository := self._repository(name, revision or "main"):
                self._json(_tree(repository) if kind == "tree" else _info(name, repository))
            return
        name, _, rest = _split(path.removeprefix("/"))
        revision, _, file = rest.removeprefix("resolve/").partition("/")
        if repository := self._repository(name, revision):
            self._file(repository, file)

    def _repository(self, name: str, revision: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._refuse(HTTPStatus.NOT_FOUND, "RepoNotFound")
        elif repository.token and self.headers.get("Authorization") != f"Bearer {repository.token}":
            self._refuse(HTTPStatus.FORBIDDEN, "GatedRepo")
        elif revision not in {repository.commit, *repository.revisions}:
            self._refuse(HTTPStatus.NOT_FOUND, "RevisionNotFound")
        else:
            return repository
        return None

    def _refuse(self, status: HTTPStatus, code: str, **headers: str) -> None:
        self.head(status, {"X-Error-Code": code, "Content-Length": "0", **headers})

    def _json(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.head(HTTPStatus.OK, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self._body(body)

    def _file(self, repository: Repository, name: str) -> None:
        commit = {"X-Repo-Commit": repository.commit}
        if name not in repository.files:
            self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound", **commit)
            return
        content, size = repository.files[name], len(repository.files[name])
        etag = f'"{_sha256(content) if name.endswith(LARGE) else blob_id(content)}"'
        if name in self.hub.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Length": str(size - start), **commit}
        if name.endswith(LARGE):
            headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(size)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        self.head(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK, headers)
        limit = self.hub.stall.pop(name, None) if self.command == "GET" else None
        self._body(content[start:limit])
        if limit is not None:
            self.hub.stalled.set()
            self.hub.resume.wait(30)
            self.close_connection = True

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, body: bytes) -> None:
        if self.command == "GET":
            self.wfile.write(body)
            self.wfile.flush()


def blob_id(content: bytes) -> str:
    """Git's name for these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _split(path: str) -> tuple[str, str, str]:
    """``owner/name/rest`` → (``owner/name``, "/", ``rest``)."""
    owner, _, rest = path.partition("/")
    name, separator, rest = rest.partition("/")
    return f"{owner}/{name}", separator, rest


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _entry(name: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"size": len(content)}
    if name.endswith(LARGE):
        entry["lfs"] = {"size": len(content), "sha256": _sha256(content), "pointerSize": 134}
    return entry


def _info(name: str, repository: Repository) -> dict[str, Any]:
    siblings = [
        {"rfilename": file, "blobId": blob_id(content), **_entry(file, content)}
        for file, content in sorted(repository.files.items())
    ]
    return {"id": name, "modelId": name, "sha": repository.commit, "tags": [], "private": False, "siblings": siblings}


def _tree(repository: Repository) -> list[dict[str, Any]]:
    return [
        {"type": "file", "path": file, "oid": blob_id(content), **_entry(file, content)}
        for file, content in sorted(repository.files.items())
    ]


def use(server: HubServer, monkeypatch: pytest.MonkeyPatch, scratch: Path) -> HubServer:
    """Send downloads to ``server``, into a cache below ``scratch``, without the user's token."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN_PATH", str(scratch / "token"))
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(scratch / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return server
