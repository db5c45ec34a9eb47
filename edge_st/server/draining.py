"""Whether this process is about to end: it then accepts no more, and answers what it has accepted."""

from threading import Event

_begun = Event()


def draining() -> bool:
    """Whether `begin` was called. GET /ready answers 503 from then on; requests that still come are answered."""
    return _begun.is_set()


def begin() -> None:
    """The process was told to end."""
    _begun.set()
