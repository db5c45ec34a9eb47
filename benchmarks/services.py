"""Embedding services as processes on cores of their own, how each is asked, and what memory they take (Linux)."""

import base64
import http.client
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from types import TracebackType
from typing import Any, Self

import numpy as np
from http_load import HOST, request
from numpy.typing import NDArray

_MOST_SECONDS = 180
_LOOK_EVERY = 0.005
_FIRST = "The first text of all."
_SHOWN_LINES = 12


@dataclass(frozen=True)
class Interface:
    """Where a service takes texts, under which key beside which others, and how its answers hold vectors."""

    path: str
    key: str
    vectors: Callable[[Any], Any]
    others: Mapping[str, Any] = field(default_factory=dict)

    def request(self, texts: Sequence[str]) -> bytes:
        """A request for the vectors of ``texts``."""
        return request(self.path, self.body(texts))

    def body(self, texts: Sequence[str]) -> bytes:
        """Its body."""
        return json.dumps({self.key: list(texts), **self.others}).encode()

    def read(self, answer: bytes) -> NDArray[np.float32]:
        """The vectors (n, dim) of an answer."""
        return np.asarray(self.vectors(json.loads(answer)), np.float32)


def _openai(answer: Any) -> Any:
    return [each["embedding"] for each in answer["data"]]


def _base64(answer: Any) -> Any:
    return [np.frombuffer(base64.b64decode(each["embedding"]), "<f4") for each in answer["data"]]


OPENAI = Interface("/v1/embeddings", "input", _openai)
OPENAI_BASE64 = Interface("/v1/embeddings", "input", _base64, {"encoding_format": "base64"})
FASTAPI = Interface("/embed", "texts", lambda answer: answer["embeddings"])


@dataclass(frozen=True)
class Command:
    """How a service is started: its words, to which a port is added, and environment variables."""

    label: str
    interface: Interface
    words: Sequence[str | Path]
    variables: Mapping[str, str] = field(default_factory=dict)
    cores: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Memory:
    """Megabytes of all processes of a service: resident now and at most, and its share of pages that others map, too.

    The peak is the sum of every process' own one.
    """

    resident: float
    peak: float
    proportional: float


class Service:
    """A running service. ``seconds`` are those from its start to its first answer."""

    def __init__(self, command: Command) -> None:
        self.label, self.interface = command.label, command.interface
        with socket() as found:
            found.bind((HOST, 0))
            self.port = int(found.getsockname()[1])
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        cores = ["taskset", "-c", ",".join(map(str, command.cores))]
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [*cores, *command.words, "--port", str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "HF_HUB_OFFLINE": "1", **command.variables},
        )
        try:
            self._wait()
        except BaseException:
            self.end()
            raise
        self.seconds = time.perf_counter() - began

    def ask(self, texts: Sequence[str]) -> tuple[int, bytes]:
        """The status and the body of the answer; raises OSError where there is none."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_MOST_SECONDS)
        try:
            headers = {"content-type": "application/json"}
            connection.request("POST", self.interface.path, self.interface.body(texts), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def memory(self) -> Memory:
        """The memory of all its processes."""
        resident, peak, proportional = 0.0, 0.0, 0.0
        for process in _tree(self._process.pid):
            status = _values(Path(f"/proc/{process}/status"))
            resident += status["VmRSS"]
            peak += status["VmHWM"]
            proportional += _values(Path(f"/proc/{process}/smaps_rollup"))["Pss"]
        return Memory(resident, peak, proportional)

    def end(self) -> None:
        """End it, and all that it started."""
        tree = _tree(self._process.pid)
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        for each in tree:
            with suppress(ProcessLookupError):
                os.kill(each, 9)
        self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        """The service itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it."""
        self.end()

    def _wait(self) -> None:
        """Wait for the first answer; raises RuntimeError where the service ends, or answers nothing for minutes."""
        end, status, said = time.monotonic() + _MOST_SECONDS, 0, b""
        while status != 200:
            if self._process.poll() is not None:
                raise RuntimeError(f"ended with {self._process.returncode}: {self._tail()}")
            if time.monotonic() > end:
                raise RuntimeError(f"no answer ({status} {said[:200]!r}) in {_MOST_SECONDS} s: {self._tail()}")
            try:
                status, said = self.ask([_FIRST])
            except OSError:
                time.sleep(_LOOK_EVERY)
            else:
                time.sleep(0 if status == 200 else _LOOK_EVERY)

    def _tail(self) -> str:
        self._log.seek(0)
        return " | ".join(self._log.read().decode(errors="replace").splitlines()[-_SHOWN_LINES:])


def _tree(process: int) -> list[int]:
    """A process and all that it started."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return []
    return [process, *(each for child in children for each in _tree(child))]


def _values(file: Path) -> dict[str, float]:
    """Megabytes by name, of a file that gives them in kB."""
    lines = (line.split() for line in file.read_text(encoding="ascii", errors="replace").splitlines())
    return {words[0][:-1]: int(words[1]) * 1024 / 1e6 for words in lines if words[-1] == "kB"}
