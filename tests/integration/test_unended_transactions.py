"""A transaction that the coordinator calls ended, and whose end was never written.

A lone broker that is killed between the two leaves one behind. Here the client library is made to
forget its open transaction instead: to the partitions that looks the same.
"""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.producer.transaction_manager import TransactionState

from schemas import TopicNames
from stream.offsets import OffsetPending, committed_offset
from stream.worker.lane import Lane
from stream.worker.routing import Message
from stream.worker.transactions import LaneProducer
from tests.support.pipeline import WAIT_SECONDS, create_topics, pipeline_settings, read_topic

pytestmark = pytest.mark.kafka
LEFT = [b"left behind"]


@pytest.fixture
async def topics(kafka, topic_prefix):
    names = TopicNames(topic_prefix)
    await create_topics(kafka, names)
    return names


@pytest.fixture
def settings(kafka, topics):
    return pipeline_settings(kafka, topics.prefix)


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
    producer = LaneProducer(settings, TopicPartition(topics.incoming, 0))
    await producer.start()
    aiokafka = producer._producer
    await aiokafka.begin_transaction()
    for delivery in await producer._send([Message(topics.relabel, b"k", LEFT[0], [])]):
        await delivery
    offset = {TopicPartition(topics.incoming, 0): 7}
    await aiokafka.send_offsets_to_transaction(offset, settings.worker.group)
    manager = aiokafka._txn_manager
    manager.state = TransactionState.READY
    manager._txn_partitions.clear()
    manager._txn_consumer_group = None
    yield producer
    await producer.discard()


async def test_its_offset_is_not_taken_for_settled(producer, member, topics, settings):
    with pytest.raises(OffsetPending):
        await committed_offset(
            member, settings.worker.group, TopicPartition(topics.incoming, 0), settled=True
        )


async def test_once_it_is_aborted_later_commits_do_not_publish_what_it_left(
    kafka, producer, topics
):
    await producer.abort_unended([*topics.outputs(), topics.batches])
    await producer.commit([Message(topics.relabel, b"k", b"again", [])], 7)
    assert [record.value for record in await read_topic(kafka, topics.relabel, 1)] == [b"again"]


async def test_a_lane_ends_it_and_begins_at_the_offset_that_was_committed(
    producer, member, topics, settings
):
    tp, begun = TopicPartition(topics.incoming, 0), asyncio.Queue()
    member.pause(tp)
    lane = Lane(
        tp, member, settings.worker.group, lambda _: producer, 0.0, outputs=topics.outputs()
    )
    seek = member.seek
    member.seek = lambda at, offset: (seek(at, offset), begun.put_nowait(offset))
    producer.start = started  # it is
    task = asyncio.create_task(lane.run())
    try:
        assert await asyncio.wait_for(begun.get(), WAIT_SECONDS) == 0
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def started():
    pass
