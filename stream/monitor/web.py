"""The dashboard's server: a static page, a stream of events behind a session, health, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self, cast

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from stream.errors import PortTaken
from stream.monitor.access import BROWSER_SECONDS, Access
from stream.monitor.engine import Engine
from stream.monitor.snapshot import categories, snapshot
from stream.settings import MonitorSettings
from stream.web.connections import USUAL, ClientLimits, Connections
from stream.web.hosts import Hosts, is_loopback, refuse_clear_text
from stream.web.languages import page_language

PAGE: Final = Path(__file__).resolve().parent / "page"
COOKIE: Final = "reviews_monitor"
_BROWSER_COOKIE: Final = "reviews_monitor_browser"
# Probes reach a container by its address, whatever browsers call it.
_PROBES: Final = frozenset({"/livez", "/readyz"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TYPES: Final = {
    "index.html": "text/html",
    "style.css": "text/css",
    "charts.js": "text/javascript",
    "words.js": "text/javascript",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_SPANS: Final = {"15m": 15 * 60, "1h": 3600, "6h": 6 * 3600}
_EVERY_SECONDS: Final = 2.0
# Every stream costs a snapshot each two seconds, some milliseconds of the loop that runs Faust.
_MAX_STREAMS: Final = 32
_MAX_BODY: Final = 4096
# A browser that says nothing for so long opens a new connection.
_IDLE_SECONDS: Final = 15.0
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ONLY_HTTPS: Final = {"Strict-Transport-Security": "max-age=31536000"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MonitorServer:
    """Serves the page. Use as ``async with``.

    The page itself holds nothing: all that is to be seen comes through ``/events``, for which a
    session is needed. Health and metrics are open, as those of a worker: they hold no texts.

    Args:
        settings: where to listen, the token.
        engine: what is shown.
        registry: metrics.
        checks: names what readiness needs, and whether each holds now.
        on_link_used: called with a new one-time link when the former was used.
        limits: what a client may cost.
    """

    def __init__(
        self,
        settings: MonitorSettings,
        engine: Engine,
        registry: CollectorRegistry,
        checks: Callable[[], Mapping[str, bool]],
        on_link_used: Callable[[str], None] = lambda _: None,
        limits: ClientLimits = USUAL,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._registry = registry
        self._checks = checks
        self._on_link_used = on_link_used
        self.access = Access(settings)
        self._hosts = Hosts(settings.host, settings.public_url)
        self._secure = (settings.public_url or "").startswith("https:")
        self._headers = _HEADERS | (_ONLY_HTTPS if self._secure else {})
        self._connections = Connections(limits)
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None
        self._streams = 0
        self._stopping = asyncio.Event()
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ConfigError: keys and tokens would cross a network in the clear.
            PortTaken: another process listens on the port.
        """
        host, public_url = self._settings.host, self._settings.public_url
        refuse_clear_text(host, public_url, secrets="tokens", section="MONITOR")
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[self._counted, self._guarded])
        app.router.add_get("/", self._index)
        app.router.add_get("/page/{name}", self._file)
        app.router.add_get("/session", self._session)
        app.router.add_post("/session", self._sign_in)
        app.router.add_delete("/session", self._sign_out)
        app.router.add_get("/events", self._events)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=_IDLE_SECONDS
        )
        await self._runner.setup()
        protocols = self._connections.watched(cast("web.Server", self._runner.server))
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                protocols, self._settings.host, self._settings.port
            )
        except OSError as error:
            await self._runner.cleanup()
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(
                f"port {self._settings.port} is taken",
                "set REVIEWS_MONITOR__PORT to another one, or to 0 for any free port",
            ) from None
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        if self._listening is not None:
            self._listening.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        host = self._settings.host
        local = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        return self._settings.public_url or local

    @property
    def cookie(self) -> str:
        """Name of the session's cookie. ``__Host-`` makes a browser refuse it from elsewhere."""
        return f"__Host-{COOKIE}" if self._secure else COOKIE

    def new_link(self) -> str:
        """Return a link that opens the page once.

        The key stands behind the ``#``: it reaches no server's or proxy's log, and a program that
        looks links up before a person does cannot use it up.
        """
        return f"{self.url}/#key={self.access.new_link_key()}"

    async def _index(self, _: web.Request) -> web.StreamResponse:
        # The page opens in this language, until somebody chooses one.
        page = _read("index.html").replace('<html lang="ru"', f'<html lang="{page_language()}"', 1)
        return web.Response(text=page, content_type="text/html", charset="utf-8")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in _TYPES:
            raise web.HTTPNotFound
        return _static(name)

    async def _session(self, request: web.Request) -> web.StreamResponse:
        signed_in = self.access.may_see(request.cookies.get(self.cookie))
        return web.Response(status=204 if signed_in else 403)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        key = await self._sent(request)
        address, browser = request.remote or "", request.cookies.get(_BROWSER_COOKIE, "")
        session = self.access.sign_in(key.strip(), address, browser)
        if session is None:
            if self.access.is_blocked(address, browser):
                raise web.HTTPTooManyRequests(text="too many attempts")
            raise web.HTTPForbidden(text="no such key")
        response = web.Response(status=204)
        self._set_cookie(response, self.cookie, session, self.access.session_seconds)
        self._set_cookie(response, _BROWSER_COOKIE, self.access.new_browser(), BROWSER_SECONDS)
        if self._settings.token is None:
            self._on_link_used(self.new_link())
        return response

    async def _sent(self, request: web.Request) -> str:
        # Not in the encoding that the request names: it may name one that does not exist.
        try:
            async with asyncio.timeout(self._connections.limits.body_seconds):
                return (await request.read()).decode("utf-8", "replace")
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the body came too slowly") from None

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        self.access.sign_out(request.cookies.get(self.cookie))
        response = web.Response(status=204)
        response.del_cookie(self.cookie, secure=self._secure, httponly=True, samesite="Strict")
        return response

    def _set_cookie(self, response: web.Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name, value, max_age=seconds, httponly=True, samesite="Strict", secure=self._secure
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        session = request.cookies.get(self.cookie)
        if not self.access.may_see(session):
            raise web.HTTPUnauthorized(text="sign in first")
        if self._streams >= _MAX_STREAMS:
            raise web.HTTPServiceUnavailable(text="too many viewers")
        span = _SPANS.get(request.query.get("span", ""), _SPANS["15m"])
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"} | self._headers
        )
        await response.prepare(request)
        self._streams += 1
        try:
            await response.write(_event("categories", categories()))
            # A page that stays open shows nothing more once its session has ended.
            while not self._stopping.is_set() and self.access.may_see(session):
                await response.write(_event("state", snapshot(self._engine, span)))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_EVERY_SECONDS):
                        await self._stopping.wait()
        except ConnectionError:
            pass  # the viewer has gone
        finally:
            self._streams -= 1
        return response

    @web.middleware
    async def _counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Tell the connections how far each request has come."""
        transport = request.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        with self._connections.answering(peer, body=request.can_read_body):
            return await handler(request)

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask who is meant and who asks, before anything else; bind the browser afterwards."""
        try:
            self._check(request)
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(self._headers)
            raise
        if not response.prepared:
            response.headers.update(self._headers)
        return response

    def _check(self, request: web.Request) -> None:
        probes = _PROBES if is_loopback(self._settings.host) else _PROBES | {"/metrics"}
        if request.path not in probes and not self._hosts.knows(request.headers.getall("Host", [])):
            raise web.HTTPMisdirectedRequest(text="unknown host; set REVIEWS_MONITOR__PUBLIC_URL\n")
        if request.method not in _SAFE and not self._hosts.sent_it(request.headers):
            raise web.HTTPForbidden(text="sent by another site's page\n")

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        checks = self._checks()
        ready = all(checks.values())
        lines = [f"[{'+' if ok else '-'}] {name}" for name, ok in checks.items()]
        text = "\n".join(lines) if "verbose" in request.query else "ready" if ready else "not ready"
        return web.Response(text=text + "\n", status=200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4"})


def _read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _static(name: str) -> web.Response:
    return web.Response(text=_read(name), content_type=_TYPES[name], charset="utf-8")


def _event(name: str, data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))
