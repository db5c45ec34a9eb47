"""Keys: who may ask. From a file or the environment, compared in constant time."""

import hmac
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from edge_st_runtime.errors import InputError, OptionError

from .probing import is_open, path_of
from .record import record_of
from .refusals import refusal

ENVIRONMENT: Final = "EDGE_ST_KEYS"
_EXPECTED = "expected NAME:KEY or KEY, of visible ASCII characters"
_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_KEY = re.compile(r"[!-~]{1,1024}")
_HEADERS = (b"authorization", b"x-api-key")
_BEARER = b"bearer "
_CREDENTIALS = "CREDENTIALS_DIRECTORY"


class KeysMiddleware:
    """Answers 401 where a request has none of ``keys``, which map each key to its name.

    A key comes as ``Authorization: Bearer KEY``, ``Authorization: KEY`` or ``x-api-key: KEY``.
    """

    def __init__(self, app: ASGIApp, keys: Mapping[str, str]) -> None:
        self.app = app
        self._names = {_digest(key.encode()): name for key, name in keys.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record, path = record_of(scope), path_of(scope)
        offered = list(_offered(scope["headers"]))
        record.key = self._name(offered)
        if record.key is not None or is_open(scope["method"], path):
            await self.app(scope, receive, send)
            return
        found = "the key is none of this server's" if offered else "there is no key"
        message = f"{found}; send one as the header `Authorization: Bearer KEY` or `x-api-key: KEY`"
        answer = refusal(path, 401, message, {"www-authenticate": 'Bearer realm="edge-st"'})
        await answer(scope, receive, send)

    def _name(self, offered: Iterable[bytes]) -> str | None:
        """The name of the first key among ``offered``. Every pair is compared, so that time tells nothing."""
        found: str | None = None
        for each in offered:
            digest = _digest(each)
            for known, name in self._names.items():
                if hmac.compare_digest(known, digest) and found is None:
                    found = name
        return found


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


def _offered(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for name, value in headers:
        if name in _HEADERS and (stripped := value.strip()):
            bearer = name == _HEADERS[0] and stripped[: len(_BEARER)].lower() == _BEARER
            yield stripped[len(_BEARER) :].strip() if bearer else stripped


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
