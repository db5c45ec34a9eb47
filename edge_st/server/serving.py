"""A uvicorn server that drains: told to end, it accepts no more, answers what it has accepted, and ends in time."""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from socket import socket
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_st_runtime.errors import EdgeSTError

from . import draining
from .options import Running

#: seconds in which requests that are on their way on open connections still come
_LAST_REQUESTS = 0.5
#: seconds after the time for draining, in which what is left is ended
_LAST_MOMENT = 1.0
#: seconds that a connection may be idle; load balancers keep theirs for 60
_KEEP_ALIVE = 75
_HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)
_logger = logging.getLogger(__name__)


class Starting:
    """An application that keeps the ``error`` with which it failed to start."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.error: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the message on; of a failed start, no traceback is shown."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return

        failed = False

        async def held_back(message: Message) -> None:
            nonlocal failed
            failed = failed or message["type"] == "lifespan.startup.failed"
            if not failed:
                await send(message)

        try:
            await self.app(scope, receive, held_back)
        except BaseException as error:
            self.error = error
            raise
        finally:
            if failed:
                await send({"type": "lifespan.startup.failed", "message": ""})


class Server(uvicorn.Server):
    """Serves ``app``, and calls ``ready`` when it does. If the application does not start, `run` raises its error."""

    def __init__(self, app: ASGIApp, running: Running, ready: Callable[[], None]) -> None:
        self._starting, self._running, self._ready = Starting(app), running, ready
        self._begun: float | None = None  # the time at which it was told to end
        self._end: threading.Timer | None = None
        self._listeners: list[socket] = []
        super().__init__(_uvicorn_config(self._starting, running))

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serve on ``sockets`` until a signal comes."""
        try:
            super().run(sockets)
        finally:
            if self._end is not None:
                self._end.cancel()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start the application, then accept connections."""
        self._listeners = [each.dup() for each in sockets or []]
        with suppress(SystemExit):
            await super().startup(sockets)
        if not self.started:
            raise self._starting.error or EdgeSTError("the application does not start")
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second SIGINT ends at once."""
        if not draining.draining():
            draining.begin()
            self._begun = time.monotonic()
            self._end = threading.Timer(self._running.drain_seconds + _LAST_MOMENT, _end_now, (sig,))
            self._end.daemon = True
            self._end.start()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Accept no more, answer what is here or on its way, then end."""
        begun = time.monotonic() if self._begun is None else self._begun
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        await self._accept_waiting()
        draining.accept_no_more()
        end = begun + min(_LAST_REQUESTS, self._running.drain_seconds)
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        left = begun + self._running.drain_seconds - time.monotonic()
        self.config.timeout_graceful_shutdown = max(0, left)  # type: ignore[assignment]  # asyncio takes a float
        await super().shutdown(sockets)

    async def _accept_waiting(self) -> None:
        """Accept what waits to be accepted, and listen no longer."""
        await asyncio.sleep(0)  # so that the event loop lets go of the sockets
        loop, found = asyncio.get_running_loop(), list[socket]()
        for listener in self._listeners:
            listener.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    found.append(listener.accept()[0])
            listener.close()
        connecting = [
            asyncio.ensure_future(loop.connect_accepted_socket(self._protocol, each, ssl=self.config.ssl))
            for each in found
        ]
        if connecting:
            await asyncio.wait(connecting, timeout=_LAST_REQUESTS)

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, for SIGHUP, too, unless that is ignored."""
        with super().capture_signals():
            main = threading.current_thread() is threading.main_thread()
            if not main or _HANG_UP is None or signal.getsignal(_HANG_UP) is signal.SIG_IGN:
                yield
                return
            before = signal.signal(_HANG_UP, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(_HANG_UP, before)


def _uvicorn_config(app: ASGIApp, running: Running) -> uvicorn.Config:
    http: Any = "httptools" if find_spec("httptools") else "auto"
    return uvicorn.Config(
        app,
        http=http,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        ssl_certfile=running.ssl_certfile,
        ssl_keyfile=running.ssl_keyfile,
    )


def _end_now(number: int) -> None:
    """End this process although something is left: an engine that computes cannot be interrupted."""
    _logger.error("the time for draining is over; the process ends with requests that have no answer")
    os._exit(128 + number)
