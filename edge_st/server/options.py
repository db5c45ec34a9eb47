"""How the processes of a server run; `Config` says what they serve."""

from dataclasses import dataclass, field
from pathlib import Path

from .sockets import Place


@dataclass(frozen=True)
class Running:
    """Where to listen, and with how many processes.

    ``ssl_certfile`` is a chain of certificates in PEM; ``ssl_keyfile`` None finds the private key there, too.
    ``log_format`` and ``log_level`` are among `edge_st.server.logs.FORMATS` and ``LEVELS``. Told to end, a process
    answers within ``drain_seconds`` what it has accepted.
    """

    place: Place = field(default_factory=Place)
    workers: int = 1
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    log_format: str = "line"
    log_level: str = "info"
    drain_seconds: float = 30.0
