"""A Redis whose replies a test replaces on their way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

Spoil = Callable[[bytes, bytes], bytes]
"""Given a reply and the one before it on any connection, returns what is sent instead."""


class SpoilingRedis:
    """Stands in front of a real server on a socket of this machine. Use as ``async with``.

    Args:
        url: of the server: ``unix://``.
    """

    def __init__(self, url: str) -> None:
        self._path = urlsplit(url).path
        self._server: asyncio.Server | None = None
        self._before = b":0\r\n"
        self.spoil: Spoil | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"redis://{host}:{port}/0"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        server, commands = await asyncio.open_unix_connection(self._path)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            tasks = [
                asyncio.ensure_future(_copied(client, commands)),
                asyncio.ensure_future(self._spoilt(server, answers)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        commands.close()
        answers.close()

    async def _spoilt(self, server: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        while True:
            reply = await _reply(server)
            sent = reply if self.spoil is None else self.spoil(reply, self._before)
            self._before = reply
            answers.write(sent)
            await answers.drain()


async def _copied(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(65_536):
        sink.write(piece)
        await sink.drain()


async def _reply(server: asyncio.StreamReader) -> bytes:
    """Read one reply of the old protocol, however deep."""
    line = await server.readuntil(b"\r\n")
    kind, length = line[:1], line[1:-2]
    if kind == b"$" and int(length) >= 0:
        return line + await server.readexactly(int(length) + 2)
    if kind == b"*":
        return line + b"".join([await _reply(server) for _ in range(int(length))])
    return line
