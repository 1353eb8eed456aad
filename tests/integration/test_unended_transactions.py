"""A transaction that the coordinator calls ended, and whose end was not written everywhere.

A lone broker that is killed between the two may leave one behind. Here the producer does not end its
transaction instead: to the partitions that looks the same.
"""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import DeadLetterReason, SourcePosition
from stream.exactly_once.message import Message
from stream.exactly_once.partition_processor import PartitionProcessor
from stream.exactly_once.transactional_producer import TransactionalProducer, transactional_id
from stream.exactly_once.transactions import Transactions
from stream.kafka.offsets import OffsetPending, committed_offset
from stream.kafka.transaction_state import commit_was_decided
from stream.operations.replay import DeadLetterReplay
from stream.worker.group_member import transaction_options
from tests.support.pipeline import WAIT_SECONDS, pipeline_settings, read_topic

pytestmark = pytest.mark.kafka
LEFT = [b"left behind"]


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def settings(request, kafka, topics):
    worker = {"transaction_version": request.param}
    return pipeline_settings(kafka, topics.prefix, worker=worker)


@pytest.fixture
async def member(kafka, topics, settings):
    """A member of the worker's group, to ask for its offset."""
    consumer = AIOKafkaConsumer(
        topics.incoming,
        bootstrap_servers=kafka,
        group_id=settings.worker.group,
        enable_auto_commit=False,
    )
    await consumer.start()
    yield consumer
    await consumer.stop()


@pytest.fixture
async def producer(settings, topics):
    """One that has left a record and an offset behind, and knows nothing of it."""
    options = transaction_options(settings, settings.worker.group)
    producer = TransactionalProducer(options, TopicPartition(topics.incoming, 0))
    await producer.start()
    await producer.write([Message(topics.relabel, b"k", LEFT[0], [])], 7)
    yield producer
    await producer.discard()


async def test_its_offset_is_not_taken_for_settled(producer, member, topics, settings):
    with pytest.raises(OffsetPending):
        await committed_offset(
            member, settings.worker.group, TopicPartition(topics.incoming, 0), settled=True
        )


async def test_what_was_to_be_aborted_is_never_published(kafka, producer, topics):
    await producer.end_unended([*topics.outputs(), topics.batches], commit=False)
    await producer.commit([Message(topics.relabel, b"k", b"again", [])], 7)
    assert [record.value for record in await read_topic(kafka, topics.relabel, 1)] == [b"again"]


async def test_what_was_committed_is_published_once_and_its_offset_counts(
    kafka, producer, topics, member, settings, monkeypatch
):
    monkeypatch.setattr("stream.exactly_once.recovery.commit_was_decided", said_commit)
    assert await first_offset(producer, member, topics, settings) == 7
    assert [record.value for record in await read_topic(kafka, topics.relabel, 1)] == LEFT


async def test_a_partition_processor_aborts_what_nobody_had_asked_to_commit(
    producer, member, topics, settings
):
    assert await first_offset(producer, member, topics, settings) == 0


async def test_the_coordinator_tells_what_it_decided_last(producer, member, topics, settings):
    tp = TopicPartition(topics.incoming, 0)
    known = transactional_id(settings.worker.group, tp)
    assert await commit_was_decided(member, f"{known}-of-nobody") is None
    assert await commit_was_decided(member, known) is False
    await producer.end_unended([], commit=True)
    assert await commit_was_decided(member, known) is True
    await producer.end_unended([topics.relabel], commit=False)
    assert await commit_was_decided(member, known) is False


@pytest.mark.parametrize(("committed", "replayed"), [(True, 0), (False, 1)])
async def test_a_replay_ends_what_the_former_one_left_and_nothing_is_there_twice(
    kafka, topics, settings, monkeypatch, committed, replayed
):
    await send_dead_letter(kafka, topics)
    options = transaction_options(settings, DeadLetterReplay(settings).group)
    former = TransactionalProducer(options, TopicPartition(topics.dead_letter, 0))
    await former.start()
    await former.write([Message(topics.incoming, b"k", LEFT[0], [])], 1)
    former.start = started

    class FormerOnes(Transactions):
        def producer(self, tp):
            return former if tp.partition == 0 else super().producer(tp)

    async def decided(consumer, transactional_id):
        return committed

    monkeypatch.setattr("stream.exactly_once.recovery.commit_was_decided", decided)
    replay = DeadLetterReplay(settings, transactions=FormerOnes(options, [topics.incoming]))
    assert (await replay.run()).replayed == replayed
    async with AIOKafkaProducer(bootstrap_servers=kafka) as last:
        await last.send_and_wait(topics.incoming, b"last", partition=0)
    records = await read_topic(kafka, topics.incoming, 2)
    assert [record.value for record in records] == [*LEFT, b"last"]


async def send_dead_letter(kafka, topics):
    source = SourcePosition(topic=topics.incoming, partition=0, offset=0)
    reason = DeadLetterReason(
        code="not-json", message="", source=source, timestamp_ms=0, group="g", worker="w"
    )
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(
            topics.dead_letter, LEFT[0], key=b"k", partition=0, headers=reason.headers()
        )


async def first_offset(producer, member, topics, settings):
    """Where a processor begins that gets this producer."""
    tp, begun = TopicPartition(topics.incoming, 0), asyncio.Queue()
    member.pause(tp)
    options = transaction_options(settings, settings.worker.group)
    transactions = Transactions(options, topics.outputs())
    transactions.producer = lambda _: producer
    processor = PartitionProcessor(tp, member, transactions, 0.0)
    seek = member.seek
    member.seek = lambda at, offset: (seek(at, offset), begun.put_nowait(offset))
    producer.start = started  # it is
    task = asyncio.create_task(processor.run())
    try:
        return await asyncio.wait_for(begun.get(), WAIT_SECONDS)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def started():
    pass


async def said_commit(consumer, transactional_id):
    return True
