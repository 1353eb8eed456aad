"""A queue that is stopped while servers let it wait, and what it says of a Kafka that says nothing."""

import asyncio

import pytest

from stream.errors import BrokerError
from stream.queue.publisher import DecisionPublisher
from stream.queue.server import serve
from stream.settings import load_settings
from tests.support.silent import silent_server


async def test_a_queue_whose_redis_says_nothing_ends_when_it_is_told_to():
    stop = asyncio.Event()
    async with silent_server() as (address, asked), asyncio.timeout(10):
        queue = {"redis_url": f"redis://{address}", "port": 0}
        serving = asyncio.create_task(serve(load_settings(queue=queue), stop, lambda _: None))
        await asked.wait()
        stop.set()
        await serving


async def test_a_kafka_that_says_nothing_is_one_that_does_not_answer():
    async with silent_server() as (address, _), asyncio.timeout(10):
        settings = load_settings(
            kafka={"bootstrap_servers": address, "request_timeout_ms": 100},
            queue={"transaction_timeout_ms": 200},
        )
        publisher = DecisionPublisher(settings)
        with pytest.raises(BrokerError, match="no Kafka broker answers"):
            await publisher.start()
        await publisher.stop()
