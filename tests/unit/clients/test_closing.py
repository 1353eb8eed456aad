"""Readers and producers let go of a broker that is gone, and say what it did not take."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from stream.clients import ReviewProducer, reader
from stream.clients.reader import TopicReader
from stream.errors import BrokerError
from stream.settings import load_settings


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(reader, "CLOSE_SECONDS", 0.05)


class Unanswered:
    """A consumer whose group's coordinator is looked for without end."""

    def __init__(self):
        self.stopped = False

    async def commit(self, _):
        await asyncio.Event().wait()

    async def stop(self):
        self.stopped = True


def reading(**options):
    settings = load_settings(kafka={"request_timeout_ms": 50})
    made = TopicReader(["t"], lambda record: record, settings=settings, group="g", **options)
    made._consumer = Unanswered()
    made._in_hand = SimpleNamespace(topic="t", partition=0, offset=7)
    return made


async def test_a_reader_that_ends_says_that_the_last_events_are_not_committed():
    made = reading()
    async with asyncio.timeout(10):
        with pytest.raises(BrokerError, match="no Kafka broker answers"):
            await made.__aexit__(None, None, None)
    assert made._consumer.stopped


async def test_a_reader_that_is_interrupted_ends_without_another_word():
    made = reading()
    made._note_handled()
    async with asyncio.timeout(10):
        await made.__aexit__(asyncio.CancelledError, None, None)
    assert made._consumer.stopped
    assert made.uncommitted


class AnsweredLate(Unanswered):
    """A consumer whose group's coordinator is there again for the second commit."""

    def __init__(self):
        super().__init__()
        self.asked = asyncio.Event()
        self.committed = []

    async def commit(self, offsets):
        if not self.asked.is_set():
            self.asked.set()
            await super().commit(offsets)
        self.committed.append(offsets)


async def test_what_was_being_committed_when_a_reader_is_interrupted_is_committed_as_it_ends():
    made = reading()
    made._consumer = AnsweredLate()
    made._committed_at = 0.0
    waiting = asyncio.ensure_future(anext(made))
    await made._consumer.asked.wait()
    waiting.cancel()
    await asyncio.wait([waiting], timeout=10)
    assert made.uncommitted
    await made.__aexit__(asyncio.CancelledError, None, None)
    assert made._consumer.committed == [{TopicPartition("t", 0): 8}]
    assert not made.uncommitted


async def test_what_could_not_be_committed_of_a_partition_that_is_taken_away_is_not_committed_later():
    made = reading()
    made._note_handled()
    revoking = asyncio.ensure_future(made._revoked([TopicPartition("t", 0)]))
    await asyncio.sleep(0)
    revoking.cancel()
    await asyncio.wait([revoking], timeout=10)
    assert not made.uncommitted


async def test_a_drain_does_not_wait_for_ever_to_commit():
    made = reading(follow=False)
    made._committed_at = 0.0
    async with asyncio.timeout(10):
        with pytest.raises(BrokerError, match="no Kafka broker answers"):
            await anext(made)


class Unacknowledged:
    """A producer whose broker takes nothing."""

    async def send(self, *_, **__):
        return asyncio.get_running_loop().create_future()


async def test_who_gives_up_sending_does_not_wait_for_what_is_in_flight():
    producer = ReviewProducer(load_settings())
    producer._producer = Unacknowledged()
    sending = asyncio.create_task(producer.send_many(["сапоги жмут"]))
    await asyncio.sleep(0.01)
    sending.cancel()
    await asyncio.wait([sending], timeout=10)
    assert sending.cancelled()
