"""Signals that end a command: files that are being written are removed first, as with Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP", "SIGBREAK")  # each system has some


class Terminated(KeyboardInterrupt):
    """The process was told to end. ``code`` is the exit code that shells give for the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise Terminated in the block for a signal that would end the process at once; a second one does that.

    A signal that is handled or ignored already, as with nohup, stays so.
    """
    ours = [number for name in _NAMES if (number := getattr(signal, name, None)) is not None]
    ours = [number for number in ours if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in ours:
            signal.signal(number, _stop)
    except ValueError:  # in another thread than the main one, which alone gets signals
        ours = []
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise Terminated(number)
