"""People who work stay signed in: what they do renews their session."""

from __future__ import annotations

from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.queue.errors import AccountsUnavailable
from stream.queue.web.site import Site

BY_ITSELF: Final = "x-by-itself"
"""Header of what a page asks without its person: a page left open over night is no activity."""


class Renewal:
    """ASGI middleware that sends a session's later cookie with what its person asks.

    Args:
        app: what answers.
        site: makes the cookies.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        site = self._site
        asked = HTTPConnection(scope) if scope["type"] == "http" else None
        cookie = asked.cookies.get(site.session_cookie) if asked else None
        if asked is None or not cookie or BY_ITSELF in asked.headers:
            await self._app(scope, receive, send)
            return

        async def send_renewed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {
                    **message,
                    "headers": [*message["headers"], *_later(site, cookie, message)],
                }
            await send(message)

        await self._app(scope, receive, send_renewed)


def _later(site: Site, cookie: str, answer: Message) -> list[tuple[bytes, bytes]]:
    # Looked at with the answer, not before: a sign-out has ended the session by then.
    own = f"{site.session_cookie}=".encode()
    if any(value.startswith(own) for name, value in answer["headers"] if name == b"set-cookie"):
        return []  # somebody signs in or out
    try:
        later = site.sessions.renewed(cookie)
    except AccountsUnavailable:
        return []  # a probe that a browser asks: it is answered all the same
    if later is None:
        return []
    carrier = Response()
    site.set_cookie(carrier, site.session_cookie, later, site.sessions.seconds)
    return [(name, value) for name, value in carrier.raw_headers if name == b"set-cookie"]
