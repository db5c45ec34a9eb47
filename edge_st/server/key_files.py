"""Keys from a file or the environment, each with a name for logs and metrics."""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from edge_st_runtime.errors import InputError, OptionError

ENVIRONMENT: Final = "EDGE_ST_KEYS"
_EXPECTED = "expected NAME:KEY or KEY, of visible ASCII characters"
_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_KEY = re.compile(r"[!-~]{1,1024}")
_CREDENTIALS = "CREDENTIALS_DIRECTORY"


def read_keys(path: Path) -> dict[str, str]:
    """The keys of a file, each with its name. A line is ``NAME:KEY``, or ``KEY`` alone; comments begin with ``#``.

    Raises OptionError for a file that others can read, InputError for a line that is none.
    """
    try:
        with path.open("rb") as file:
            _check_mode(path, os.fstat(file.fileno()).st_mode)
            content = file.read()
    except OSError as error:
        raise OptionError(f"the key file {path} cannot be read: {error.strerror}") from error
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start + 1} is not ASCII; {_EXPECTED} on each line") from None
    entries = ((f"{path}:{number}", line.strip()) for number, line in enumerate(lines, 1))
    found = _keys((place, entry) for place, entry in entries if entry and not entry.startswith("#"))
    if not found:
        raise InputError(f"{path} has no key; {_EXPECTED} on each line")
    return found


def keys_of_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The keys in ``EDGE_ST_KEYS``, with commas between them; none where it is not set. Raises as `read_keys`."""
    if ENVIRONMENT not in environment:
        return {}
    entries = [entry.strip() for entry in environment[ENVIRONMENT].split(",")]
    found = _keys((f"{ENVIRONMENT}, entry {number}", entry) for number, entry in enumerate(entries, 1) if entry)
    if not found:
        raise InputError(f"{ENVIRONMENT} has no key; {_EXPECTED}, with commas between several, or: unset {ENVIRONMENT}")
    return found


def _keys(entries: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, (place, entry) in enumerate(entries, 1):
        name, colon, key = entry.partition(":")
        if not colon:
            name, key = f"key-{number}", entry
        if not _NAME.fullmatch(name) or not _KEY.fullmatch(key):
            raise InputError(f"{place}: this is no key; {_EXPECTED}")  # the key itself is a secret
        if key in found:
            raise InputError(f"{place}: this is the key of {found[key]!r} again; expected another one")
        found[key] = name
    return found


def _check_mode(path: Path, mode: int) -> None:
    """Raise OptionError where others than the owner can read. What systemd hands over is kept by its folder."""
    handed_over = os.environ.get(_CREDENTIALS)
    if os.name == "nt" or (handed_over and path.resolve().is_relative_to(Path(handed_over).resolve())):
        return
    if stat.S_IMODE(mode) & 0o077:
        raise OptionError(
            f"the key file {path} can be read by others (mode {stat.S_IMODE(mode):03o}); run: chmod 600 {path}"
        )
