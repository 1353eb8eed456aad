"""What holds for every request: known hosts, and headers that bind the browser."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.queue.web.api_errors import API, error_answer
from stream.settings import QueueSettings
from stream.web.hosts import Hosts

# No inline script or style, nothing from elsewhere, nobody frames us.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
# Probes reach a container by its address or on loopback, whatever browsers call it. They learn no
# more than that we live.
_PROBES: Final = frozenset({"/livez", "/readyz"})


class Guard:
    """ASGI middleware.

    Args:
        app: what it protects.
        settings: where we listen, and how browsers reach us.
    """

    def __init__(self, app: ASGIApp, settings: QueueSettings) -> None:
        self._app = app
        self._hosts = Hosts(settings.host, settings.public_url)
        self._extra = dict(_HEADERS)
        if settings.public_url is not None and settings.public_url.startswith("https:"):
            self._extra["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._extra.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        if scope["path"] not in _PROBES and not self._hosts.knows(headers.getlist("host")):
            await _unknown_host(scope["path"])(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)


def _unknown_host(path: str) -> Response:
    message, remedy = "unknown host", "set REVIEWS_QUEUE__PUBLIC_URL"
    if path.startswith(API):
        return error_answer(421, "unknown-host", message, remedy)
    return PlainTextResponse(f"{message}; {remedy}\n", 421)
