"""The limit of a request's body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .probing import path_of
from .refusals import refusal

_TOO_LARGE = 413
_DIGITS = 18  # longer numbers are too large without being read


class _TooLargeError(Exception):
    """More came than a request may hold."""


class BodyLimitMiddleware:
    """Answers 413 to a body of more than ``most`` bytes: before it is read where its length is told, else on the way.

    No more than ``most`` bytes reach the application.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if length.isdigit() and (len(length) > _DIGITS or int(length) > self._most):
            await self._refuse(f"{length.decode()[:_DIGITS]} bytes", scope, receive, send)
            return
        read, started = 0, False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise _TooLargeError
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

    async def _refuse(self, found: str, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"the body has {found}; expected at most {self._most}: send fewer texts at a time"
        await refusal(path_of(scope), _TOO_LARGE, message)(scope, receive, send)
