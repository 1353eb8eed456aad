"""What happens to cancellation on its way through aiokafka."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from stream.exactly_once.assignment import PartitionProcessors
from stream.exactly_once.partition_processor import PartitionBatch
from stream.exactly_once.transactional_producer import TransactionalProducer
from stream.settings import load_settings
from stream.worker.group_member import member_options, transaction_options
from stream.worker.metrics import WorkerMetrics
from tests.support.transactions import Transactions

TP = TopicPartition("reviews.incoming", 0)


class CancellationSwallower:
    """Like aiokafka's client: it ends normally when the waiting caller is cancelled."""

    def __init__(self):
        self._conns = {}

    async def close(self):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def test_a_cancellation_during_discard_reaches_the_partition_processor():
    producer = TransactionalProducer(transaction_options(load_settings(), "g"), TP)
    producer._producer._client = CancellationSwallower()
    discarding = asyncio.create_task(producer.discard())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    discarding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await discarding


class Consumer:
    def assignment(self):
        return {TP}

    def pause(self, *_):
        pass

    resume = pause

    def last_stable_offset(self, tp):
        return None

    def seek(self, tp, offset):
        pass


class GatedProducer:
    """Commits once the gate is opened."""

    def __init__(self, gate):
        self._gate = gate

    async def start(self, topics=()):
        pass

    async def commit(self, messages, next_offset):
        await self._gate.wait()

    async def discard(self):
        pass


class DeafOnce(GatedProducer):
    """Swallows the first cancellation while it starts."""

    def __init__(self):
        self.missed = []
        self.starting = asyncio.Event()

    async def start(self, topics=()):
        self.starting.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.missed.append(True)
        await asyncio.sleep(60)


def processors_with(producer):
    """Processors, not assigned anything, whose partitions have this producer."""
    processors = PartitionProcessors(
        member_options(load_settings()),
        Transactions(lambda _: producer),
        WorkerMetrics(),
        on_failure=lambda _: None,
    )
    processors.attach(Consumer())
    return processors


def running():
    """Tasks of partitions that have not ended."""
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("partition ")]


async def test_closing_partition_processors_cancels_until_they_have_ended():
    producer = DeafOnce()
    processors = processors_with(producer)
    await processors.on_partitions_assigned([TP])
    await producer.starting.wait()
    (task,) = running()
    await processors.close()
    assert producer.missed
    assert task.cancelled()


async def test_a_rebalance_while_the_worker_ends_closes_each_partition_once():
    gate, committed = asyncio.Event(), []
    processors = processors_with(GatedProducer(gate))
    await processors.on_partitions_assigned([TP])
    while (processor := processors.get(TP)) is None:  # noqa: ASYNC110 - in turns
        await asyncio.sleep(0)
    (task,) = running()
    record = SimpleNamespace(stale=False, held=0, record=SimpleNamespace(offset=0))
    processor.add_in_flight(1)
    await processor.publish(PartitionBatch([record], [], committed.append))
    closing = asyncio.gather(processors.close(), processors.on_partitions_revoked([TP]))
    await asyncio.sleep(0)
    gate.set()
    await closing
    assert len(committed) == 1
    assert task.cancelled()


async def test_a_worker_that_ends_takes_no_partition_over():
    processors = processors_with(GatedProducer(asyncio.Event()))
    await processors.close()
    await processors.on_partitions_assigned([TP])
    assert processors.get(TP) is None
    assert not running()
