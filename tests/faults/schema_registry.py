"""A schema registry that can be out of order, and reviews that were written with its schemas."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any, Final, Self

import fastavro
from aiohttp import web

from tests.support.wire_format import avro_body, wired

REVIEW: Final = {
    "type": "record",
    "name": "Review",
    "fields": [
        {"name": "review_id", "type": "string"},
        {"name": "text", "type": "string"},
        {"name": "metadata", "type": {"type": "map", "values": "string"}},
    ],
}
_PARSED: Final = fastavro.parse_schema(REVIEW)
ABSENT: Final = 2**31
"""From this id on the registry has no schema."""
_NOT_FOUND: Final = {"error_code": 40403, "message": "Schema not found"}


class RegistryMode(Enum):
    """How the registry appears."""

    HEALTHY = auto()
    REFUSING = auto()
    """It wants other credentials."""
    FAILING = auto()
    """Every answer is 503."""
    SILENT = auto()
    """Connections are taken, and nothing is ever answered."""
    STRAYING = auto()
    """Answers are another server's: a page, with status 404."""
    BROKEN = auto()
    """Answers break off in the middle."""


class FaultyRegistry:
    """Has the same schema under every id, so that each id is news. Use as ``async with``.

    Set :attr:`mode` at any time.
    """

    def __init__(self) -> None:
        self.mode = RegistryMode.HEALTHY
        self.asked = 0
        """How often it was asked."""
        self.url = ""
        self._changed = asyncio.Condition()
        app = web.Application()
        app.router.add_get("/schemas/ids/{id}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.become(RegistryMode.HEALTHY)
        await self._runner.cleanup()

    async def become(self, mode: RegistryMode) -> None:
        """Appear otherwise from now on; whoever waits for a silent one is let go."""
        async with self._changed:
            self.mode = mode
            self._changed.notify_all()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        answers: dict[RegistryMode, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            RegistryMode.HEALTHY: _schema,
            RegistryMode.REFUSING: _status(401),
            RegistryMode.FAILING: _status(503),
            RegistryMode.SILENT: self._in_silence,
            RegistryMode.STRAYING: _status(404),
            RegistryMode.BROKEN: _half,
        }
        return await answers[self.mode](request)

    async def _in_silence(self, _: web.Request) -> web.StreamResponse:
        async with self._changed:
            await self._changed.wait_for(lambda: self.mode is not RegistryMode.SILENT)
        return web.Response(status=503)


async def _schema(request: web.Request) -> web.StreamResponse:
    if int(request.match_info["id"]) >= ABSENT:
        return web.json_response(_NOT_FOUND, status=404)
    return web.json_response({"schema": json.dumps(REVIEW)})


async def _half(_: web.Request) -> web.StreamResponse:
    whole = json.dumps({"schema": json.dumps(REVIEW)})
    return web.Response(text=whole[: len(whole) // 2], content_type="application/json")


def _status(status: int) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="<html>out of order</html>")

    return answer


def written(schema_id: int, review: dict[str, Any]) -> bytes:
    """Return a review as a producer with a registry sends it: Confluent's wire format."""
    return wired(schema_id, avro_body(_PARSED, review))
