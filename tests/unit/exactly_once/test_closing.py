"""What happens to cancellation on its way through aiokafka."""

import asyncio
import contextlib

import pytest
from aiokafka import TopicPartition

from stream.exactly_once.assignment import Lanes
from stream.exactly_once.transactional_producer import LaneProducer
from stream.settings import load_settings
from stream.worker.metrics import WorkerMetrics

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


class DrainingLane:
    """A lane that is drained once the gate is opened."""

    def __init__(self, gate):
        self._gate = gate

    async def drain(self, seconds):
        await self._gate.wait()


async def test_a_rebalance_while_the_worker_ends_closes_each_lane_once():
    lanes, gate = (
        Lanes(load_settings(), WorkerMetrics(), on_failure=lambda _: None),
        asyncio.Event(),
    )
    task = asyncio.create_task(asyncio.sleep(60))
    lanes._lanes[TP], lanes._tasks[TP] = DrainingLane(gate), task
    closing = asyncio.gather(lanes.close(), lanes.on_partitions_revoked([TP]))
    await asyncio.sleep(0)
    gate.set()
    await closing
    assert task.cancelled()


async def test_a_worker_that_ends_takes_no_partition_over():
    class Consumer:
        def pause(self, *partitions):
            pass

    lanes = Lanes(load_settings(), WorkerMetrics(), on_failure=lambda _: None)
    lanes.attach(Consumer())
    await lanes.close()
    await lanes.on_partitions_assigned([TP])
    assert lanes.get(TP) is None
    assert not lanes._tasks
