"""Clients that are started, and those that somebody stops starting."""

import asyncio

import pytest

from stream.kafka import connection
from stream.settings import load_settings


class Starting:
    """A client that waits for its broker."""

    def __init__(self):
        self.begun, self.closed = asyncio.Event(), False

    async def start(self):
        self.begun.set()
        await asyncio.Event().wait()

    async def stop(self):
        self.closed = True


async def test_a_client_that_is_stopped_while_it_starts_is_closed(monkeypatch):
    async def reachable(_):
        return None

    monkeypatch.setattr(connection, "_require_reachable", reachable)
    client = Starting()
    start = asyncio.create_task(connection.start(client, load_settings().kafka))
    await client.begun.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert client.closed
