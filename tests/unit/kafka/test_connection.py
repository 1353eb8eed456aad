"""Clients that are started, and those that somebody stops starting."""

import asyncio
import gc

import pytest

from stream.errors import BrokerError
from stream.kafka import connection
from stream.kafka.clients import admin_client
from stream.settings import load_settings
from tests.support.scripted_broker import METADATA, ScriptedBroker, Silence


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


@pytest.fixture
async def complaints():
    """What the event loop is told that nobody closed."""
    told = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: told.append(context["message"])
    )
    return told


async def started(broker, monkeypatch):
    """Start a client, to the end or until it fails."""
    monkeypatch.setattr(connection, "_reached", {broker.address})  # or metadata are asked for twice
    kafka = load_settings(kafka={"bootstrap_servers": broker.address}).kafka
    await connection.start(admin_client(kafka), kafka)


async def test_a_client_that_is_stopped_before_it_knows_the_brokers_leaves_no_connection(
    monkeypatch, complaints
):
    asked = asyncio.Event()

    def no_answer(_asked, _body):
        asked.set()
        raise Silence

    async with ScriptedBroker() as broker:
        broker.spoil[METADATA] = no_answer
        starting = asyncio.create_task(started(broker, monkeypatch))
        await asked.wait()
        starting.cancel()
        await asyncio.wait([starting])
        assert starting.cancelled()
        del starting  # its traceback holds the connection
        gc.collect()
        assert complaints == []


async def test_a_client_that_cannot_read_what_it_is_told_of_brokers_leaves_no_connection(
    monkeypatch, complaints
):
    async with ScriptedBroker() as broker:
        broker.spoil[METADATA] = lambda _asked, body: body[:-4] + b"\xff\xff\xff\xff"
        with pytest.raises(BrokerError):
            await started(broker, monkeypatch)
        gc.collect()
        assert complaints == []
