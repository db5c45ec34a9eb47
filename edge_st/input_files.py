"""Read files that users name: their lines as texts or as JSON objects."""

import json
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.unicode import check_unicode

Fields: TypeAlias = Mapping[str, Any]
_BOM = b"\xef\xbb\xbf"
_CONTINUING, _LEADING = 0x80, 0xC0  # the bytes within and at the beginning of a UTF-8 character


def existing(path: str | Path) -> Path:
    """The path of a file or folder that exists; raises OptionError where it does not, and for a device or socket.

    A pipe is a file where a shell made it, as in ``<(command)``; others might never begin or end.
    """
    found = Path(path)
    try:
        mode = found.stat().st_mode
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise OptionError(f"{path} cannot be read: {error.strerror}; change its permissions") from error
        raise OptionError(f"no such file or folder: {path} (looked in {Path.cwd()})") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or (stat.S_ISFIFO(mode) and str(path).startswith("/dev/"))):
        raise OptionError(f"{path} is a pipe, a socket or a device; expected a file or a folder, or '-' and its output")
    return found


def standard_input() -> BinaryIO:
    """The bytes of standard input; raises InputError where it is closed."""
    if sys.stdin is None:
        raise InputError("standard input is closed; name a file, or give texts: edge-st … < texts.txt")
    return sys.stdin.buffer


def decoded(file: BinaryIO, name: str, longest: int | None = None, *, cut: bool = True) -> Iterator[tuple[int, str]]:
    r"""The lines of a UTF-8 file with their numbers from 1.

    A byte order mark and the line ends ``\n`` or ``\r\n`` are removed. Of a line of more than ``longest`` bytes, only
    the first and the last half of so many are kept; with ``cut=False`` it is refused. Raises InputError, which names
    file, line and byte, for what is not UTF-8.
    """
    lines = ((raw, False) for raw in file) if longest is None else _bounded(file, longest // 2, cut)
    for number, (raw, refused) in enumerate(lines, 1):
        if refused:
            raise InputError(
                f"{name}:{number}: a line of more than {longest} bytes; expected shorter ones: divide its text, or "
                "embed plain lines with a model that has a token limit"
            )
        line = raw.removeprefix(_BOM) if number == 1 else raw
        try:
            yield number, line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"{name}:{number}: byte {error.start + 1} is not UTF-8; convert the file, for example with iconv"
            raise InputError(message) from error


def _bounded(file: BinaryIO, part: int, cut: bool) -> Iterator[tuple[bytes, bool]]:
    """The lines of a file, and whether each is to be refused, because ``cut`` is False and it is too long.

    Of a line of more than twice ``part`` bytes, about the first and the last ``part`` are given.
    """
    while line := file.readline(2 * part):
        if len(line) == 2 * part and not line.endswith(b"\n") and (further := file.readline(part)):
            if not cut:
                yield b"", True
                return
            start, end, more = line[:part], line[part:], further
            while more:
                end = end[-part:] + more
                more = b"" if more.endswith(b"\n") else file.readline(part)
            line = _to_a_character(start) + _from_a_character(end[-part:])
        yield line, False


def _to_a_character(data: bytes) -> bytes:
    """``data`` without the beginning of a UTF-8 character at its end."""
    begun = next((n for n in range(1, 4) if data[-n] >= _LEADING), 0)
    return data[:-begun] if begun else data


def _from_a_character(data: bytes) -> bytes:
    """``data`` without the rest of a UTF-8 character at its beginning."""
    return data[next((n for n in range(4) if not _CONTINUING <= data[n] < _LEADING), 0) :]


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a file that are not empty, each with its place ``FILE:LINE``; raises InputError as `decoded`."""
    with path.open("rb") as file:
        for number, line in decoded(file, str(path)):
            if line:
                yield f"{path}:{number}", line


def read_objects(path: Path, example: Fields) -> Iterator[tuple[str, Fields]]:
    """The JSON objects of a JSONL file, each with its place ``FILE:LINE``; raises InputError as `json_object`."""
    for place, line in read_lines(path):
        if not line.isspace():
            yield place, json_object(line, place, example)


def json_object(
    line: str, place: str, example: Fields, advice: str = "", decode: Callable[[str], Any] = json.loads
) -> Fields:
    """The JSON object in ``line``, which ``decode`` reads.

    Raises InputError for anything else. The message shows the ``example``; where ``line`` is not JSON at all, it ends
    with ``advice`` if that is given.
    """
    expected = f"expected an object such as {json.dumps(example)}"
    try:
        found = decode(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not JSON ({error}); {advice or expected}") from error
    if not isinstance(found, dict):
        raise InputError(f"{place}: a JSON {type(found).__name__}; {expected}")
    return found


def field(found: Fields, name: str, place: str, advice: str = "") -> Any:
    """The value of a field; raises InputError, whose message ends with ``advice``, where the field is missing."""
    if name not in found:
        raise InputError(f"{place}: no field {name!r}; it has {', '.join(found) or 'none'}{advice}")
    return found[name]


def string_field(found: Fields, name: str, place: str, advice: str = "") -> str:
    """The string in a field; raises InputError as `field`, and where the value is not a valid string."""
    value = field(found, name, place, advice)
    if not isinstance(value, str):
        raise InputError(f"{place}: field {name!r} is {type(value).__name__}; expected a string")
    check_unicode(value, f"{place}: field {name!r}")
    return value
