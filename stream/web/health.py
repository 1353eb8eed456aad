"""`/livez`, `/readyz` and `/metrics` of a worker or a relabeller, on loopback unless set otherwise."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Self

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from stream.errors import PortTaken
from stream.settings import HttpSettings

# For answers that are on their way when the work is done. A client that does not read its own would hold
# up the process for two minutes by aiohttp's measure.
_GOODBYE_SECONDS: Final = 1.0

Checks = Callable[[], Mapping[str, bool]]
"""Names what readiness needs, and whether each holds now."""

Notes = Callable[[], Iterable[str]]
"""Tells what a person should know and readiness does not depend on, one line each."""


class HealthServer:
    """A small HTTP server beside the work. Use as ``async with``."""

    def __init__(
        self,
        settings: HttpSettings,
        registry: CollectorRegistry,
        checks: Checks,
        option: str = "REVIEWS_HTTP__PORT",
        notes: Notes = tuple,
    ) -> None:
        """Serve nothing yet.

        Args:
            settings: where to listen.
            registry: of the metrics.
            checks: tell readiness.
            option: that sets the port, for whoever finds it taken.
            notes: shown by ``/readyz?verbose`` beside the checks.
        """
        self._option = option
        self._settings = settings
        self._registry = registry
        self._checks = checks
        self._notes = notes
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            PortTaken: another process listens on the port.
        """
        if not self._settings.enabled:
            return self
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GOODBYE_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(
                f"port {self._settings.port} is taken",
                f"set {self._option} to another one, or to 0 for any free port",
            ) from None
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        # The event loop answers, so the process lives. Dependencies are readiness' business:
        # restarting us would not bring a broker back.
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        checks = self._checks()
        ready = all(checks.values())
        lines = [f"[{'+' if ok else '-'}] {name}" for name, ok in checks.items()]
        lines += [f"[i] {note}" for note in self._notes()]
        text = "\n".join(lines) if "verbose" in request.query else "ready" if ready else "not ready"
        return web.Response(text=text + "\n", status=200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4"})
