"""Whether this process is about to end: it then accepts no more, and answers what it has accepted."""

from threading import Event

_begun, _closed = Event(), Event()


def draining() -> bool:
    """Whether the process was told to end. GET /ready answers 503 from then on; requests that come are answered."""
    return _begun.is_set()


def accepting() -> bool:
    """Whether new connections are accepted. When they are not, each connection is closed after its next answer."""
    return not _closed.is_set()


def begin() -> None:
    """The process was told to end."""
    _begun.set()


def accept_no_more() -> None:
    """The process does not listen any more."""
    _closed.set()
