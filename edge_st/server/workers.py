"""Several processes on the same sockets. One that dies is replaced; the others go on."""

import logging
import logging.config
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from socket import socket
from types import FrameType
from typing import Any

from starlette.types import ASGIApp

from edge_st_runtime.errors import EdgeSTError

from .config import Config
from .logs import log_config
from .options import Running

_SIGNALS = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
#: as in `edge_st.server.metrics`, which is imported when this is set
_SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_LOOK_EVERY = 0.2  # seconds
_PAUSE = 1.0  # seconds before a process follows one that died while it started
_LAST_MOMENT = 3.0  # seconds after the time for draining, in which a process ends by itself
_logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Worker:
    """A process, and the end of the pipe on which it says that it is ready, or why it is not."""

    process: SpawnProcess
    told: Connection
    ready: bool = False


class Workers:
    """Processes that each serve ``config`` on ``sockets`` with an application of their own."""

    def __init__(
        self, running: Running, sockets: list[socket], config: Config, create_app: Callable[[Config], ASGIApp]
    ) -> None:
        self._running, self._sockets, self._config, self._create_app = running, sockets, config, create_app
        self._workers: list[_Worker] = []
        self._signals: list[int] = []

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until a signal comes; ``ready`` is called when all processes serve.

        Raises EdgeSTError where a process does not start.
        """
        with _shared_folder(), self._caught():
            try:
                self._workers = [self._start() for _ in range(self._running.workers)]
                self._wait_until_ready()
                if not self._signals:
                    ready()
                while not self._signals:
                    self._replace_dead()
                    self._sleep()
            finally:
                self._end()

    def _start(self) -> _Worker:
        context = get_context("spawn")
        told, telling = context.Pipe(duplex=False)
        arguments = (telling, self._running, self._sockets, self._config, self._create_app)
        process = context.Process(target=_work, args=arguments, name="edge-st worker")
        process.start()
        telling.close()
        return _Worker(process, told)

    def _wait_until_ready(self) -> None:
        while not self._signals and not all(worker.ready for worker in self._workers):
            for worker in self._workers:
                self._read(worker)
            self._sleep()

    def _read(self, worker: _Worker) -> None:
        """Take note of what a process says; raises EdgeSTError where it does not start."""
        if worker.ready or not worker.told.poll():
            return
        try:
            error = worker.told.recv()
        except EOFError:
            worker.process.join()
            error = EdgeSTError(f"a process ended while it started (exit code {worker.process.exitcode})")
        if error is not None:
            raise error
        worker.ready = True

    def _replace_dead(self) -> None:
        for place, worker in enumerate(self._workers):
            if worker.process.is_alive():
                self._note(worker)
                continue
            process = worker.process
            _logger.warning("process %s died (exit code %s); another follows", process.pid, process.exitcode)
            if not worker.ready:
                time.sleep(_PAUSE)
            self._workers[place] = self._start()

    def _note(self, worker: _Worker) -> None:
        """As `_read`, where the others go on without a process that does not start."""
        try:
            self._read(worker)
        except EdgeSTError as error:
            _logger.error("a process does not start: %s", error)  # noqa: TRY400 - the traceback is another process's
            worker.process.join()

    def _sleep(self) -> None:
        """Wait for a while, but no longer than until a process ends."""
        wait([worker.process.sentinel for worker in self._workers], _LOOK_EVERY)

    def _end(self) -> None:
        """Tell every process to end, and end those that do not."""
        for each in self._sockets:
            each.close()
        alive = [worker.process for worker in self._workers if worker.process.is_alive()]
        for process in alive:
            process.terminate()
        end = time.monotonic() + self._running.drain_seconds + _LAST_MOMENT
        for process in alive:
            while process.is_alive() and time.monotonic() < end and len(self._signals) < 2:
                process.join(_LOOK_EVERY)
            process.kill()
            process.join()

    @contextmanager
    def _caught(self) -> Iterator[None]:
        """Note signals; a second one ends without waiting. What is ignored stays so."""

        def note(number: int, _: FrameType | None) -> None:
            self._signals.append(number)

        before: dict[int, Any] = {}
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, note)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _shared_folder() -> Iterator[None]:
    """A folder in which the processes keep their numbers, for `Metrics`."""
    with tempfile.TemporaryDirectory(prefix="edge-st-metrics-", ignore_cleanup_errors=True) as folder:
        before = os.environ.get(_SHARED_FOLDER)
        os.environ[_SHARED_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_SHARED_FOLDER]
            if before is not None:
                os.environ[_SHARED_FOLDER] = before


def _work(
    telling: Connection,
    running: Running,
    sockets: list[socket],
    config: Config,
    create_app: Callable[[Config], ASGIApp],
) -> None:
    """Serve, in a process of its own, until that is told to end or its parent is gone."""
    from .serving import Server

    logging.config.dictConfig(log_config(running.log_format, running.log_level))
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        Server(create_app(config), running, lambda: telling.send(None)).run(sockets)
    except KeyboardInterrupt:  # how uvicorn ends by SIGINT
        pass
    except (EdgeSTError, OSError) as error:
        telling.send(EdgeSTError(str(error)))
    except Exception:
        _logger.exception("a process cannot serve")
        telling.send(EdgeSTError("a process does not start; its error stands above"))


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
