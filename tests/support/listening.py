"""An application of the service that really listens, in this process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

_PATIENCE = 30


class Served:
    """A server at ``address``."""

    def __init__(self, app: ASGIApp) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        end = time.monotonic() + _PATIENCE
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            assert time.monotonic() < end, f"the server is not ready after {_PATIENCE} s"
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """Answer what was accepted, and listen no more; may be called again."""
        self._server.should_exit = True
        self._thread.join(_PATIENCE)


@contextmanager
def served(app: ASGIApp) -> Iterator[Served]:
    """``app``, as long as the context lasts."""
    server = Served(app)
    try:
        yield server
    finally:
        server.stop()
