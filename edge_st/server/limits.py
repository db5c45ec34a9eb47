"""The limit of a request's body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .probing import path_of
from .refusals import refusal

_TOO_LARGE, _TOO_MANY = 413, 429
_AT_ONCE = 8
_DIGITS = 18  # longer numbers are too large without being read


class _TooLargeError(Exception):
    """More came than a request may hold."""


class BodyLimitMiddleware:
    """Answers 413 to a body of more than ``most`` bytes: before it is read where its length is told, else on the way.

    No more than ``most`` bytes reach the application. All requests under way hold at most eight times as many; one that
    goes beyond gets 429.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self._most = app, most
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        length = int(told[:_DIGITS]) if told.isdigit() else 0
        if length > self._most:
            await self._refuse(f"{length} bytes", scope, receive, send)
        elif self._held + length > _AT_ONCE * self._most:
            message = f"the requests under way have {self._held} bytes; try again soon"
            await refusal(path_of(scope), _TOO_MANY, message, {"retry-after": "1"})(scope, receive, send)
        else:
            await self._pass_on(length, scope, receive, send)

    async def _pass_on(self, length: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application read no more than the limit of a body whose ``length`` was told, or is 0."""
        read, held, started = 0, length, False
        self._held += held

        async def counted() -> Message:
            nonlocal read, held
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise _TooLargeError
            self._held += max(0, read - held)
            held = max(held, read)
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except _TooLargeError:
            if started:
                raise
            await self._refuse(f"more than {self._most} bytes", scope, receive, send)
        finally:
            self._held -= held

    async def _refuse(self, found: str, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"the body has {found}; expected at most {self._most}: send fewer texts at a time"
        await refusal(path_of(scope), _TOO_LARGE, message)(scope, receive, send)
