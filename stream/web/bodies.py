"""Request bodies, bounded in size, in time and, of strangers, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.web.connections import Connections

BYTES_A_SECOND: Final = 16 * 1024
"""A body that takes longer than its time must come at least so fast: slower than any phone does."""
# A sign-in fits, so that it is never turned away for other people's bodies.
_SMALL: Final = 16 * 1024
_RETRY_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request may send. Bytes."""

    most: int
    stranger: bool = False
    """Nobody is known to stand behind it: all of them share one budget."""


class Bodies:
    """ASGI middleware. What exceeds a bound is refused with 408, 413 or 503.

    The refusal is raised where the application reads the body, so that it answers in its own way.

    Args:
        app: what reads them.
        allowance: what a request may send, told by its scope.
        connections: are told when a request has come as a whole; they know the limits.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowance: Callable[[Scope], Allowance],
        connections: Connections,
    ) -> None:
        self._app = app
        self._allowance = allowance
        self._connections = connections
        self._limits = connections.limits
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        with self._connections.answering(scope.get("client"), body=has_body) as complete:
            if not has_body:
                await self._app(scope, receive, send)
                return
            body = _Body(
                headers, receive, self._allowance(scope), self._limits.body_seconds, complete
            )
            try:
                await self._app(scope, lambda: self._next(body), send)
            finally:
                self._held -= body.held

    async def _next(self, body: _Body) -> Message:
        message = await body.next()
        if body.allowance.stranger and body.seen > _SMALL:
            self._held += body.seen - body.held
            body.held = body.seen
            if self._held > self._limits.strangers_bytes:
                raise HTTPException(
                    503, "too many are sending at once", {"retry-after": str(_RETRY_SECONDS)}
                )
        return message


class _Body:
    """One request's body on its way."""

    def __init__(
        self,
        headers: Headers,
        receive: Receive,
        allowance: Allowance,
        seconds: float,
        complete: Callable[[], None],
    ) -> None:
        self.allowance = allowance
        self.seen = 0
        self.held = 0
        """Bytes that the strangers' budget knows of."""
        self._declared = headers.get("content-length", "")
        self._receive = receive
        self._seconds = seconds
        self._began = asyncio.get_running_loop().time()
        self._whole = False
        self._complete = complete

    async def next(self) -> Message:
        """Return what comes next.

        Raises:
            HTTPException: it is too large (413) or too slow (408).
        """
        if self._whole:
            return await self._receive()  # waits for the client to go away
        if self._declared.isdecimal() and int(self._declared) > self.allowance.most:
            raise _too_large(self.allowance.most)
        try:
            async with asyncio.timeout_at(self._began + self._seconds + self.seen / BYTES_A_SECOND):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, "the body came too slowly", {"connection": "close"}) from None
        self.seen += len(message.get("body", b""))
        if self.seen > self.allowance.most:
            raise _too_large(self.allowance.most)
        if not message.get("more_body", False):
            self._whole = True
            self._complete()
        return message


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the body is too large: at most {most // 1024} KiB are taken")
