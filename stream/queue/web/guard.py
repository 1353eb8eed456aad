"""What holds for every request: known hosts, readable accounts, and headers that bind the browser."""

from __future__ import annotations

from typing import Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.queue.errors import AccountsUnavailable
from stream.queue.web.api_errors import API, error_answer
from stream.queue.web.site import Site, language_of
from stream.queue.web.words import say

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

_log = structlog.get_logger(__name__)


class Guard:
    """ASGI middleware.

    Args:
        app: what it protects.
        site: knows where we listen, how browsers reach us, and the accounts.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._hosts = site.hosts
        self._accounts = site.accounts
        self._extra = dict(_HEADERS)
        if site.secure:
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

        refusal = None if scope["path"] in _PROBES else self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        if not self._hosts.knows(request.headers.getlist("host")):
            return _unknown_host(request.scope["path"])
        try:
            # Before anybody asks who is there: no answer could be given then, not even an error's page.
            self._accounts.require()
        except AccountsUnavailable as error:
            _log.error("accounts_unavailable", error=error.message, remedy=error.remedy)
            return _no_accounts(request, error)
        return None


def _unknown_host(path: str) -> Response:
    message, remedy = "unknown host", "set REVIEWS_QUEUE__PUBLIC_URL"
    if path.startswith(API):
        return error_answer(421, "unknown-host", message, remedy)
    return PlainTextResponse(f"{message}; {remedy}\n", 421)


def _no_accounts(request: Request, error: AccountsUnavailable) -> Response:
    if request.scope["path"].startswith(API):
        return error_answer(
            error.status, error.code, "the accounts cannot be read", "the server's log says more"
        )
    message = say(language_of(request.cookies), f"error-{error.code}")
    if request.headers.get("x-partial") == "1":
        return JSONResponse({"code": error.code, "message": message}, error.status)
    return PlainTextResponse(f"{message}\n", error.status)
