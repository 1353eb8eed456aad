"""Clients that take their time or send nonsense, against a running monitor's server."""

import contextlib

import aiohttp
import pytest

from stream.monitor.metrics import MonitorMetrics
from stream.monitor.web import MonitorServer
from stream.settings import MonitorSettings
from stream.web.connections import ClientLimits
from tests.support.raw_clients import connected, status_of, until_closed
from tests.support.watched_pipeline import watched_engine

SOON = 0.2
POST = b"POST /session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nkey"


@pytest.fixture(scope="module")
def engine():
    return watched_engine()


@pytest.fixture
def serve(engine):
    def served(**limits):
        return MonitorServer(
            MonitorSettings(port=0),
            engine,
            MonitorMetrics(engine).registry,
            dict,
            limits=ClientLimits(**limits),
        )

    return served


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
async def test_who_sends_no_whole_head_is_hung_up_on(serve, sent):
    async with serve(head_seconds=SOON) as server, connected(server.port, sent) as (reader, _):
        assert await until_closed(reader) == b""


async def test_a_key_that_comes_too_slowly_is_refused(serve):
    async with serve(body_seconds=SOON) as server, connected(server.port, POST) as (reader, _):
        assert await status_of(reader) == 408


async def test_too_many_connections_cost_the_oldest_idle_one_not_the_newcomer(serve):
    async with serve(connections=2) as server, contextlib.AsyncExitStack() as stack:
        first, _ = [
            (await stack.enter_async_context(connected(server.port, b"GET /")))[0] for _ in "12"
        ]
        async with aiohttp.ClientSession() as client, client.get(f"{server.url}/livez") as answer:
            assert answer.status == 200
        assert await until_closed(first) == b""


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain; charset=no-such"}, b"key", 403),
        ({"Content-Type": "text/plain; charset=idna"}, b"xn--\xff", 403),
        ({"Content-Type": "text/plain"}, b"\xff\xfe\x00", 403),
        ({"Content-Type": "multipart/form-data; boundary=a"}, b"--a", 403),
        ({}, b"a" * 100_000, 413),
    ],
)
async def test_no_key_is_a_fault_of_ours(serve, headers, body, status):
    async with (
        serve() as server,
        aiohttp.ClientSession() as client,
        client.post(f"{server.url}/session", data=body, headers=headers) as answer,
    ):
        assert answer.status == status
