"""What processors tell the metrics: how far behind, and which transactions failed."""

import asyncio
import contextlib

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.exactly_once.assignment import PartitionProcessors
from stream.exactly_once.partition_processor import PartitionProcessor
from stream.kafka.broker_errors import Fenced
from stream.settings import load_settings
from stream.worker.group_member import member_options
from stream.worker.metrics import WorkerMetrics
from tests.support.transactions import Transactions

TP = TopicPartition("reviews.incoming", 3)


class FailingProducer:
    def __init__(self, error):
        self._error = error

    async def start(self, topics=()):
        raise self._error

    async def discard(self):
        pass


class StillConsumer:
    """Has fetched up to offset 120 and does nothing."""

    def assignment(self):
        return {TP}

    def pause(self, *partitions):
        pass

    resume = pause

    def seek(self, tp, offset):
        assert offset == 100

    async def position(self, tp):
        return 0

    def last_stable_offset(self, tp):
        return 115

    def highwater(self, tp):
        return 120


class IdleProducer:
    async def start(self, topics=()):
        pass

    async def discard(self):
        pass


async def processors_of_one_partition(metrics):
    """Processors of a partition that is committed up to offset 100."""
    processors = PartitionProcessors(
        member_options(load_settings()),
        Transactions(lambda _: IdleProducer(), begin=100),
        metrics,
        lambda _: None,
    )
    processors.attach(StillConsumer())
    await processors.on_partitions_assigned([TP])
    while processors.get(TP) is None:  # noqa: ASYNC110 - in turns
        await asyncio.sleep(0)
    return processors


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Fenced("another owner"), "fenced"), (KafkaError(), "in-doubt"), (TimeoutError(), "in-doubt")],
)
async def test_a_transaction_that_fails_is_counted_by_outcome(error, outcome):
    told = asyncio.Queue()
    processor = PartitionProcessor(
        TP, StillConsumer(), Transactions(lambda _: FailingProducer(error)), 60.0, told.put_nowait
    )
    task = asyncio.create_task(processor.run())
    assert await asyncio.wait_for(told.get(), 60) == outcome
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_lag_is_what_lies_between_the_commit_and_the_end_whatever_transaction_is_open():
    metrics = WorkerMetrics()
    processors = await processors_of_one_partition(metrics)
    processors.measure()
    assert metrics.registry.get_sample_value("reviews_partition_lag", {"partition": "3"}) == 20
    await processors.close()


async def test_the_lag_of_a_partition_that_was_given_away_is_told_no_more():
    metrics = WorkerMetrics()
    processors = await processors_of_one_partition(metrics)
    processors.measure()
    await processors.close()
    assert metrics.registry.get_sample_value("reviews_partition_lag", {"partition": "3"}) is None


def test_failed_transactions_are_a_series_before_the_first_one_fails():
    registry = WorkerMetrics().registry
    for outcome in ("fenced", "in-doubt"):
        labels = {"outcome": outcome}
        assert registry.get_sample_value("reviews_transactions_total", labels) == 0
