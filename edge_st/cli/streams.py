"""The standard streams of a command: safe for a terminal, and in place where the caller closed them."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from edge_st_runtime.files.shortage import shortage

#: control characters but line feed and tab, and the marks that reorder or break a line
_UNSAFE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BAR = re.compile("(?:\n|\x1b\\[A)+")  # what a progress bar writes to move between lines


def printable(text: str) -> str:
    r"""``text`` with what steers a terminal or reorders its lines as escapes, such as ``\x1b``."""
    if text.replace("\n", "").isprintable():
        return text
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: object) -> str:
    r"""``text`` as `printable` gives it, with ``\n`` and ``\t`` as escapes, too."""
    return printable(str(text)).replace("\n", "\\n").replace("\t", "\\t")


@contextmanager
def safe_streams() -> Iterator[None]:
    """Replace stdout and stderr within the block: what is printed passes through `printable`.

    Where stdout is closed, printing raises BrokenPipeError. Where stderr is closed, messages are discarded.
    """
    _occupy()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    out: Any = _Output(sys.stdout) if sys.stdout is not None else _Closed()
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        messages: Any = _Messages(sys.stderr or null)
        with redirect_stdout(out), redirect_stderr(messages):
            yield


class _Escaped:
    """A text stream that writes what `printable` gives."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Output(_Escaped):
    """Standard output. Where it cannot be written, the error says so, and the rest goes to the null device."""

    _error: OSError | None = None

    def write(self, text: str) -> int:
        with self._failing():
            return super().write(text)

    def flush(self) -> None:
        if self._error is not None:  # argparse ignores the error of its write
            raise self._error
        with self._failing():
            self._stream.flush()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _discard(self._stream)
            doing = "cannot write to standard output"
            named = shortage(error, doing) or OSError(f"{doing} ({error}); send it to a file or a pipe")
            self._error = error if isinstance(error, BrokenPipeError) else named
            raise self._error from error


def _discard(stream: Any) -> None:
    """Send what is left of ``stream`` to the null device, so that the interpreter does not report it at its end."""
    if hasattr(stream, "fileno"):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


class _Messages(_Escaped):
    """Standard error: a progress bar may move on it, and nothing fails where nobody reads it."""

    def write(self, text: str) -> int:
        back = text[:1] if text.startswith("\r") else ""
        with suppress(OSError):
            self._stream.write(text if _BAR.fullmatch(text) else back + printable(text.removeprefix(back)))
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class _Closed:
    """Standard output that the caller closed."""

    encoding = "utf-8"

    def write(self, _: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def _occupy() -> None:
    """Open the null device under the descriptors 0 to 2 that are free, so that no file of ours gets them.

    Libraries in C write to 1 and 2.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            try:
                os.fstat(number)
            except OSError:
                null = os.open(os.devnull, os.O_RDWR)
                if null != number:
                    os.close(null)
