"""What happens to cancellation on its way through aiokafka."""

import asyncio
import contextlib

import pytest
from aiokafka import TopicPartition

from stream.exactly_once.assignment import PartitionProcessors
from stream.exactly_once.transactional_producer import TransactionalProducer
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
    producer = TransactionalProducer(load_settings(), TP)
    producer._client = CancellationSwallower()
    discarding = asyncio.create_task(producer.discard())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    discarding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await discarding


async def test_closing_lanes_cancels_until_they_have_ended():
    processors = PartitionProcessors(load_settings(), WorkerMetrics(), on_failure=lambda _: None)
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
    processors._processors[TP], processors._tasks[TP] = IdleLane(), task
    await processors.close()
    assert missed
    assert task.cancelled()


class DrainingLane:
    """A partition processor that is drained once the gate is opened."""

    def __init__(self, gate):
        self._gate = gate

    async def drain(self, seconds):
        await self._gate.wait()


async def test_a_rebalance_while_the_worker_ends_closes_each_lane_once():
    processors, gate = (
        PartitionProcessors(load_settings(), WorkerMetrics(), on_failure=lambda _: None),
        asyncio.Event(),
    )
    task = asyncio.create_task(asyncio.sleep(60))
    processors._processors[TP], processors._tasks[TP] = DrainingLane(gate), task
    closing = asyncio.gather(processors.close(), processors.on_partitions_revoked([TP]))
    await asyncio.sleep(0)
    gate.set()
    await closing
    assert task.cancelled()


async def test_a_worker_that_ends_takes_no_partition_over():
    class Consumer:
        def pause(self, *partitions):
            pass

    processors = PartitionProcessors(load_settings(), WorkerMetrics(), on_failure=lambda _: None)
    processors.attach(Consumer())
    await processors.close()
    await processors.on_partitions_assigned([TP])
    assert processors.get(TP) is None
    assert not processors._tasks
