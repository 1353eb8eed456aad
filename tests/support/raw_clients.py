"""Clients of a web server that send bytes of their own making, and take their time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.support.pipeline import WAIT_SECONDS


@contextlib.asynccontextmanager
async def connected(
    port: int, sent: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection on loopback and send something on it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        await writer.drain()
        yield reader, writer
    finally:
        writer.close()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """Return what came before the server closed the connection."""
    async with asyncio.timeout(WAIT_SECONDS):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def status_of(reader: asyncio.StreamReader) -> int:
    """Return the status of the next answer."""
    async with asyncio.timeout(WAIT_SECONDS):
        return int((await reader.readline()).split()[1])


async def trickled(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes, pause: float
) -> bytes:
    """Send a piece again and again until the server closes the connection; return what came."""
    closed = asyncio.ensure_future(until_closed(reader))
    with contextlib.suppress(ConnectionError):
        while not closed.done():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
    return await closed
