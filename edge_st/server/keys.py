"""Who may ask: keys are compared in constant time."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

from starlette.types import ASGIApp, Receive, Scope, Send

from .probing import is_open, path_of
from .record import record_of
from .refusals import refusal

_HEADERS = (b"authorization", b"x-api-key")
_BEARER = b"bearer "


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


def _offered(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for name, value in headers:
        if name in _HEADERS and (stripped := value.strip()):
            bearer = name == _HEADERS[0] and stripped[: len(_BEARER)].lower() == _BEARER
            yield stripped[len(_BEARER) :].strip() if bearer else stripped


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
