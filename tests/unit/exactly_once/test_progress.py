"""Readiness names a partition that stands; ends of transactions are passed, and nothing else is."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream.exactly_once import partition_processor as processor_module
from stream.exactly_once.assignment import PartitionProcessors, group_consumer
from stream.exactly_once.partition_processor import PartitionBatch
from stream.settings import load_settings
from stream.worker.group_member import member_options
from stream.worker.metrics import WorkerMetrics
from tests.support.transactions import Transactions

TP = TopicPartition("reviews.incoming", 2)


class Consumer:
    """A partition that ends somewhere, read to somewhere."""

    end = 0
    at = 0

    def assignment(self):
        return {TP}

    def last_stable_offset(self, tp):
        return self.end

    highwater = last_stable_offset

    async def position(self, tp):
        return self.at

    def seek(self, *_):
        pass

    pause = resume = seek


class Producer:
    def __init__(self, committed):
        self._committed = committed

    async def start(self, topics=()):
        pass

    async def commit(self, messages, next_offset):
        await self._committed.put((list(messages), next_offset))

    async def discard(self):
        pass


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(
        processor_module,
        "time",
        SimpleNamespace(monotonic=lambda: now.seconds, perf_counter=time.perf_counter),
    )
    return now


@pytest.fixture
async def pipeline(clock):
    """Partition processors with one that is open at offset 0, its consumer, and what was committed."""
    committed = asyncio.Queue()
    transactions = Transactions(lambda _: Producer(committed))
    options = member_options(load_settings(worker={"drain_timeout": 0.1}))
    processors = PartitionProcessors(options, transactions, WorkerMetrics(), lambda _: None)
    consumer = Consumer()
    processors.attach(consumer)
    await processors.on_partitions_assigned([TP])
    while (processor := processors.get(TP)) is None:  # noqa: ASYNC110 - in turns
        await asyncio.sleep(0)
    yield processors, processor, consumer, committed
    await processors.close()


async def test_a_partition_where_nothing_waits_is_in_order_for_ever(pipeline, clock):
    processors, *_ = pipeline
    for _ in range(5):
        clock.seconds += 1000
        processors.measure()
        assert processors.progress() == {"partitions advance": True}


async def test_a_partition_with_events_and_no_commit_is_named_after_a_while(pipeline, clock):
    processors, _processor, consumer, _ = pipeline
    processors.measure()
    consumer.end = 5
    clock.seconds += 59
    assert all(processors.progress().values())
    clock.seconds += 2
    ((name, holds),) = processors.progress().items()
    assert not holds
    assert name == "partitions advance: reviews.incoming[2] at 0 for 61 s"


async def test_a_commit_starts_the_time_anew(pipeline, clock):
    processors, processor, consumer, _committed = pipeline
    consumer.end = 10
    clock.seconds += 61
    assert not all(processors.progress().values())
    record = ConsumerRecord(*TP, 4, 0, 0, b"k", b"v", None, 1, 1, ())
    event = SimpleNamespace(stale=False, held=0, record=record)
    processor.add_in_flight(1)
    done = asyncio.Event()
    await processor.publish(PartitionBatch([event], [], lambda _: done.set()))
    async with asyncio.timeout(30):
        await done.wait()
    assert all(processors.progress().values())


async def test_a_partition_that_does_not_open_is_named_too(pipeline, clock):
    processors, processor, *_ = pipeline
    processor.is_open = False
    clock.seconds += 61
    assert not all(processors.progress().values())


async def test_ends_of_transactions_are_committed_past_after_a_second_of_quiet(pipeline, clock):
    processors, processor, consumer, committed = pipeline
    consumer.end = consumer.at = 3
    processors.measure()
    await processors.pass_markers()
    assert committed.empty()
    clock.seconds += 1
    await processors.pass_markers()
    async with asyncio.timeout(30):
        assert await committed.get() == ([], 3)
    assert processor.committed == 3


@pytest.mark.parametrize("why", ["in flight", "draining", "not open", "nothing new"])
async def test_nothing_is_passed_that_may_yet_have_to_be_answered(pipeline, clock, why):
    processors, processor, consumer, committed = pipeline
    consumer.end = consumer.at = 0 if why == "nothing new" else 3
    if why == "in flight":
        processor.add_in_flight(1)
    if why == "draining":
        await processor.drain(1.0)
    if why == "not open":
        processor.is_open = False
    clock.seconds += 10
    await processors.pass_markers()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert committed.empty()
    assert processor.committed == 0


async def test_how_large_a_batch_may_become_is_a_setting(monkeypatch):
    asked = []

    def bounded(*, bounds, **options):
        asked.append(bounds)
        return AIOKafkaConsumer(**options)

    monkeypatch.setattr("stream.kafka.clients.BoundedConsumer", bounded)
    consumer = group_consumer(member_options(load_settings(worker={"batch_max_bytes": 10_000_000})))
    await consumer.stop()
    assert asked[0].batch_bytes == 10_000_000
