"""TLS in front of a server that has none: the embedded Redis listens on a socket."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

HOST = "127.0.0.1"
_CHUNK = 65_536


@contextlib.asynccontextmanager
async def tls_in_front_of(behind: Path, certificate: Path) -> AsyncIterator[int]:
    """Listen with TLS and pass everything on to a socket of this machine; yields our port.

    Args:
        behind: socket of the plain server.
        certificate: PEM file with key and certificate.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_unix_connection(behind)
        with contextlib.suppress(OSError):
            await asyncio.gather(_pass(reader, behind_writer), _pass(behind_reader, writer))

    server = await asyncio.start_server(serve, HOST, 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
