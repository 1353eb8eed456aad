"""A proxy in front of Redis that can be slow, silent, broken, or answer another question."""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum, auto
from pathlib import Path
from typing import Self

from tests.faults.resp import array, elements, read_reply

_NEW_COMMANDS = {b"HELLO", b"CLIENT"}


class Mode(Enum):
    """How Redis appears through the proxy."""

    HEALTHY = auto()
    SLOW = auto()
    """Answers come ``seconds`` late."""
    FROZEN = auto()
    """Connections are taken, and nothing is ever answered."""
    RESET = auto()
    """Every connection breaks."""
    SWAPPED = auto()
    """The values of an MGET come back in another order: each key gets its neighbour's."""
    SHIFTED = auto()
    """Each command gets the former command's reply, as after a cancelled read (redis-py #2624)."""

    OLD = auto()
    """It knows no HELLO and hangs up on CLIENT, as twemproxy does."""


class RedisProxy:
    """Passes commands to a Redis. Use as ``async with``; set :attr:`mode` at any time.

    Args:
        socket: where the real one listens.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.port = 0
        self.wrong_answers = 0
        """Replies that were not the ones to their commands."""
        self._mode = Mode.HEALTHY
        self._seconds = 2.0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """What clients connect to."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        await self._break_all()

    async def become(self, mode: Mode, seconds: float = 2.0) -> None:
        """Change how Redis appears; from RESET and FROZEN clients must connect anew."""
        self._mode, self._seconds = mode, seconds
        if mode in {Mode.RESET, Mode.HEALTHY}:
            await self._break_all()

    async def _break_all(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self._mode is not Mode.RESET:
                await self._serve(reader, writer)
        except (OSError, EOFError, ValueError, asyncio.CancelledError):
            pass  # a client sees a closed connection
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_unix_connection(self._socket)
        former = b""
        try:
            while True:
                command = await read_reply(reader)
                if self._mode is Mode.OLD and elements(command)[0].split()[-1] in _NEW_COMMANDS:
                    return
                to_redis.write(command)
                reply = await read_reply(from_redis)
                told, former = self._bend(reply, former), reply
                if self._mode is Mode.SLOW:
                    await asyncio.sleep(self._seconds)
                while self._mode is Mode.FROZEN:  # noqa: ASYNC110 - frozen for seconds
                    await asyncio.sleep(0.1)
                writer.write(told)
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
        finally:
            to_redis.transport.abort()

    def _bend(self, reply: bytes, former: bytes) -> bytes:
        told = reply
        if self._mode is Mode.SHIFTED and former:
            told = former
        elif self._mode is Mode.SWAPPED:
            parts = elements(reply)
            if len(parts) > 1:
                told = array(parts[1:] + parts[:1])
        self.wrong_answers += told != reply
        return told
