"""What a worker holds is bounded, however long commits take and however many partitions it has."""

import asyncio
import gc
import weakref

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from stream.exactly_once.partition_processor import PartitionBatch, PartitionProcessor
from stream.settings import load_settings
from stream.worker.app import MAX_BATCHES_IN_FLIGHT, POLL_RECORDS, Worker
from tests.support.tiny_model import tiny_classifier
from tests.support.transactions import Transactions

PARTITIONS = [TopicPartition("reviews.incoming", number) for number in range(64)]
REVIEW = '{"review_id":"r","text":"платье"}'.encode()
ROWS = 64


class Consumer:
    """Has a poll of the next partition for whoever asks."""

    def __init__(self):
        self._polls = 0
        self._joining = None

    def subscribe(self, topics, listener):
        self._joining = asyncio.create_task(listener.on_partitions_assigned(PARTITIONS))

    async def getmany(self, **_):
        await asyncio.sleep(0)
        tp = PARTITIONS[self._polls % len(PARTITIONS)]
        first = self._polls // len(PARTITIONS) * POLL_RECORDS
        self._polls += 1
        offsets = range(first, first + POLL_RECORDS)
        return {
            tp: [
                ConsumerRecord(*tp, offset, 0, 0, b"k", REVIEW, None, 1, 1, ())
                for offset in offsets
            ]
        }

    def assignment(self):
        return set(PARTITIONS)

    def last_stable_offset(self, tp):
        return None

    async def position(self, tp):
        return 0

    def seek(self, tp, offset):
        pass

    def pause(self, *_):
        pass

    def resume(self, *_):
        pass


class Producer:
    """Commits once it may."""

    def __init__(self, allowed):
        self._allowed = allowed

    async def start(self, topics=()):
        pass

    async def commit(self, messages, next_offset):
        await self._allowed.wait()

    async def discard(self):
        pass


async def _until_in_flight(worker, events):
    while worker.partitions.in_flight < events:  # noqa: ASYNC110 - in turns
        await asyncio.sleep(0)


async def test_while_no_commit_ends_no_more_is_taken_in(monkeypatch, tmp_path):
    never = asyncio.Event()
    monkeypatch.setenv("REVIEWS_CACHE__URL", "")
    monkeypatch.setenv("REVIEWS_MODEL__WATCH", "false")
    monkeypatch.setenv("REVIEWS_WORKER__BATCH_ROWS", str(ROWS))
    monkeypatch.setenv("REVIEWS_WORKER__DRAIN_TIMEOUT", "0.1")
    stop, transactions = asyncio.Event(), Transactions(lambda _: Producer(never))
    worker = Worker(load_settings(), tiny_classifier(tmp_path), transactions=transactions)
    running = asyncio.create_task(worker.serve(Consumer(), stop))
    most = MAX_BATCHES_IN_FLIGHT * ROWS
    try:
        # Without the bound, the processors of 64 partitions would take thirty-six times as much.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_until_in_flight(worker, 4 * most), timeout=2)
        assert most <= worker.partitions.in_flight < most + POLL_RECORDS
    finally:
        stop.set()
        await running
        await worker.close()


class _Batch(list):
    """A list that can be watched."""


class _Committed:
    stale = False
    held = 0
    record = ConsumerRecord(*PARTITIONS[0], 0, 0, 0, b"k", REVIEW, None, 1, 1, ())


async def test_an_idle_partition_keeps_nothing_of_what_it_published():
    allowed, done = asyncio.Event(), asyncio.Event()
    allowed.set()
    processor = PartitionProcessor(
        PARTITIONS[0], Consumer(), Transactions(lambda _: Producer(allowed)), 1.0
    )
    running = asyncio.create_task(processor.run())
    try:
        messages = _Batch()
        watched = weakref.ref(messages)
        await processor.publish(
            PartitionBatch([_Committed()], messages, lambda seconds: done.set())
        )
        del messages
        async with asyncio.timeout(30):
            await done.wait()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        gc.collect()
        assert watched() is None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
