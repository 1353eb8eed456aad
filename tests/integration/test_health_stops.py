"""A process ends although somebody who asks for its health does not go away."""

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry, Counter

from stream.settings import HttpSettings
from stream.web.health import HealthServer

# More than two sockets hold.
SERIES = 20_000
ASKING = b"GET /metrics HTTP/1.1\r\nHost: worker\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(ASKING * 20, id="reads no answer"),
        pytest.param(ASKING[:-2] + b"Content-Length: 9\r\n\r\n", id="keeps its body to itself"),
        pytest.param(ASKING[:20], id="does not finish its question"),
    ],
)
async def test_a_client_that_stands_still_holds_up_nobody_who_ends(request_bytes):
    registry = CollectorRegistry()
    counter = Counter("reviews", "of a worker", ["number"], registry=registry)
    for number in range(SERIES):
        counter.labels(str(number)).inc()
    async with HealthServer(HttpSettings(port=0), registry, dict) as health:
        # Its own reader takes little, so that what is sent to it waits in the sockets.
        _, writer = await asyncio.open_connection("127.0.0.1", health.port, limit=1024)
        writer.write(request_bytes)
        await writer.drain()
        await asyncio.sleep(0.5)  # the answer has begun; nobody tells
        ending = time.monotonic()
    assert time.monotonic() - ending < 8
    writer.close()
