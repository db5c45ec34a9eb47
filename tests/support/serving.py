"""A server in a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

_ADDRESS = re.compile(r"https?://[^\s;,]+|unix:\S+?(?=[;,\s])")
_SECONDS = 40


class Served:
    """A running ``process``, what it wrote on standard error so far, and where it listens once it is ready."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, text: str, seconds: float = _SECONDS) -> str:
        """The first line with ``text``; raises AssertionError where the process ends or is silent instead."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                found = next((line for line in self.lines if text in line), None)
                if found is not None:
                    return found
                assert time.monotonic() < end, self.lines
                assert self.process.poll() is None or self._reader.is_alive(), self.lines
                self._changed.wait(0.1)

    @property
    def address(self) -> str:
        """Where it listens, as it says itself."""
        match = _ADDRESS.search(self.wait_for("serving "))
        assert match is not None, self.lines
        return match[0]

    def end(self, number: int = signal.SIGTERM, seconds: float = _SECONDS) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.ended(seconds)

    def ended(self, seconds: float = _SECONDS) -> int:
        """The exit code, when the process has ended by itself."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def client(self, **options: Any) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.address, timeout=_SECONDS, **options)


@contextmanager
def served(
    *arguments: str | Path,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    **options: Any,
) -> Iterator[Served]:
    """``edge-st serve`` with ``arguments``, after the words of ``before``."""
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "edge_st", "serve", *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(environment or {})},
        pass_fds=pass_fds,
        **options,
    )
    found = Served(process)
    try:
        yield found
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def free_port() -> int:
    """A port at which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
