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
from stream.worker.metrics import WorkerMetrics

TP = TopicPartition("reviews.incoming", 3)


class FailingProducer:
    def __init__(self, error):
        self._error = error

    async def start(self):
        raise self._error

    async def discard(self):
        pass


class StillConsumer:
    """Has fetched up to offset 120 and does nothing."""

    def assignment(self):
        return {TP}

    def pause(self, *partitions):
        pass

    async def position(self, tp):
        return 0

    def last_stable_offset(self, tp):
        return 115

    def highwater(self, tp):
        return 120


class OpenProcessor:
    is_open = True
    committed = 100

    def still_for(self, *, waiting):
        return 0.0

    async def drain(self, seconds):
        pass


@pytest.fixture(autouse=True)
def nothing_was_decided(monkeypatch):
    """The coordinator knows of no former transaction."""

    async def commit_was_decided(consumer, transactional_id):
        return None

    monkeypatch.setattr("stream.exactly_once.recovery.commit_was_decided", commit_was_decided)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Fenced("another owner"), "fenced"), (KafkaError(), "in-doubt"), (TimeoutError(), "in-doubt")],
)
async def test_a_transaction_that_fails_is_counted_by_outcome(error, outcome):
    told = asyncio.Queue()
    processor = PartitionProcessor(
        TP, StillConsumer(), "g", lambda _: FailingProducer(error), 60.0, told.put_nowait
    )
    task = asyncio.create_task(processor.run())
    assert await asyncio.wait_for(told.get(), 60) == outcome
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_lag_is_what_lies_between_the_commit_and_the_end_whatever_transaction_is_open():
    metrics = WorkerMetrics()
    processors = PartitionProcessors(load_settings(), metrics, on_failure=lambda _: None)
    processors.attach(StillConsumer())
    processors._processors[TP] = OpenProcessor()
    processors.measure()
    assert metrics.registry.get_sample_value("reviews_partition_lag", {"partition": "3"}) == 20


async def test_the_lag_of_a_partition_that_was_given_away_is_told_no_more():
    metrics = WorkerMetrics()
    processors = PartitionProcessors(load_settings(), metrics, on_failure=lambda _: None)
    processors.attach(StillConsumer())
    processors._processors[TP], processors._tasks[TP] = (
        OpenProcessor(),
        asyncio.create_task(asyncio.sleep(0)),
    )
    processors.measure()
    await processors.close()
    assert metrics.registry.get_sample_value("reviews_partition_lag", {"partition": "3"}) is None


def test_failed_transactions_are_a_series_before_the_first_one_fails():
    registry = WorkerMetrics().registry
    for outcome in ("fenced", "in-doubt"):
        labels = {"outcome": outcome}
        assert registry.get_sample_value("reviews_transactions_total", labels) == 0
