"""What happens to cancellation on its way through aiokafka."""

import asyncio
import contextlib

import pytest
from aiokafka import TopicPartition

from stream.metrics import WorkerMetrics
from stream.settings import load_settings
from stream.worker.lanes import Lanes
from stream.worker.transactions import LaneProducer

TP = TopicPartition("reviews.incoming", 0)


class CancellationSwallower:
    """Like aiokafka's client: it ends normally when the waiting caller is cancelled."""

    def __init__(self):
        self._conns = {}

    async def close(self):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def test_a_cancellation_during_discard_reaches_the_lane():
    producer = LaneProducer(load_settings(), TP)
    producer._client = CancellationSwallower()
    discarding = asyncio.create_task(producer.discard())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    discarding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await discarding


async def test_closing_lanes_cancels_until_they_have_ended():
    lanes = Lanes(load_settings(), WorkerMetrics(), on_failure=lambda _: None)
    missed = []

    async def deaf_once():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            missed.append(True)
        await asyncio.sleep(60)

    class IdleLane:
        async def drain(self, seconds):
            pass

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    lanes._lanes[TP], lanes._tasks[TP] = IdleLane(), task
    await lanes.close()
    assert missed
    assert task.cancelled()
