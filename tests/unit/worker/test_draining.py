"""A worker that is told to stop commits all that it has taken in."""

import asyncio
import threading

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from stream.settings import load_settings
from stream.worker.app import POLL_RECORDS, Worker
from tests.support.tiny_model import tiny_classifier
from tests.support.transactions import Transactions

TP = TopicPartition("reviews.incoming", 0)
REVIEW = '{"review_id":"r","text":"платье"}'.encode()


class EndlessConsumer:
    """Always has a full poll for whoever asks; remembers how many it has given."""

    def __init__(self):
        self.polls = 0
        self.polled_again = asyncio.Event()
        self._paused = True
        self._joining = None

    def subscribe(self, topics, listener):
        self._joining = asyncio.create_task(listener.on_partitions_assigned([TP]))

    async def getmany(self, **_):
        await asyncio.sleep(0)
        if self._paused:
            return {}
        first = self.polls * POLL_RECORDS
        self.polls += 1
        if self.polls > 1:
            self.polled_again.set()
        return {TP: [_record(offset) for offset in range(first, first + POLL_RECORDS)]}

    def assignment(self):
        return {TP}

    async def position(self, tp):
        return 0

    def last_stable_offset(self, tp):
        return None

    def seek(self, tp, offset):
        assert offset == 0

    def pause(self, *_):
        self._paused = True

    def resume(self, *_):
        self._paused = False


def _record(offset):
    return ConsumerRecord(TP.topic, 0, offset, 0, 0, b"k", REVIEW, None, 1, 1, ())


class CommittingProducer:
    def __init__(self, committed):
        self._committed = committed

    async def start(self, topics=()):
        pass

    async def commit(self, messages, next_offset):
        self._committed.append(next_offset)

    async def discard(self):
        pass


class GatedGraph:
    """Inference that does not come back before the gate is opened."""

    device = "cpu"
    parallel_calls = 1

    def __init__(self, inner, gate):
        self._inner, self._gate = inner, gate

    def run(self, *inputs):
        self._gate.wait()
        return self._inner.run(*inputs)


@pytest.fixture
def committed(monkeypatch):
    """Every offset that is committed, in order."""
    offsets = []
    monkeypatch.setenv("REVIEWS_CACHE__URL", "")
    monkeypatch.setenv("REVIEWS_MODEL__WATCH", "false")
    monkeypatch.setenv("REVIEWS_WORKER__BATCH_ROWS", "64")
    monkeypatch.setenv("REVIEWS_WORKER__DRAIN_TIMEOUT", "20")
    return offsets


async def test_reviews_that_wait_for_room_in_the_micro_batch_are_committed_before_it_ends(
    committed, tmp_path
):
    gate = threading.Event()
    classifier = tiny_classifier(tmp_path)
    classifier.last._graph = GatedGraph(classifier.last._graph, gate)
    consumer, stop = EndlessConsumer(), asyncio.Event()
    transactions = Transactions(lambda _: CommittingProducer(committed))
    worker = Worker(load_settings(), classifier, transactions=transactions)
    running = asyncio.create_task(worker.serve(consumer, stop))
    try:
        # The first poll fills the buffer; the second one's reviews wait for room until the gate opens.
        async with asyncio.timeout(30):
            await consumer.polled_again.wait()
            while worker.partitions.in_flight < 2 * POLL_RECORDS:  # noqa: ASYNC110 - in turns
                await asyncio.sleep(0)
        stop.set()
        asyncio.get_running_loop().call_later(0.1, gate.set)
        await running
    finally:
        gate.set()
        running.cancel()
        await worker.close()
    assert committed[-1] >= 2 * POLL_RECORDS
