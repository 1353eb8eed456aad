"""A consumer group that stands still with events after its position is noticed; others are not."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from schemas import TopicNames
from stream.monitor import progress
from stream.monitor.progress import StandsStill, stands_still
from stream.settings import KafkaSettings
from tests.support.pipeline import WAIT_SECONDS, create_topics, send

pytestmark = pytest.mark.kafka


@pytest.fixture
async def partition(kafka, topic_prefix, monkeypatch):
    """Return a partition with one event and the end of its transaction."""
    monkeypatch.setattr(progress, "_LOOK_SECONDS", 0.2)
    names = TopicNames(topic_prefix)
    await create_topics(kafka, names)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic_prefix)
    await producer.start()
    async with producer.transaction():
        await producer.send_and_wait(names.batches, b"event", partition=0)
    await producer.stop()
    return TopicPartition(names.batches, 0)


async def commit(kafka, group, partition, offset):
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([partition])
    await consumer.commit({partition: OffsetAndMetadata(offset, "")})
    await consumer.stop()


async def test_a_group_that_reads_nothing_is_noticed(kafka, topic_prefix, partition):
    settings = KafkaSettings(bootstrap_servers=kafka)
    with pytest.raises(StandsStill, match=r"batches\[0\] at None"):
        async with asyncio.timeout(WAIT_SECONDS):
            await stands_still(settings, topic_prefix, [partition], 0.5)


async def test_a_group_before_the_end_of_a_transaction_is_not_until_an_event_waits(
    kafka, topic_prefix, partition
):
    await commit(kafka, topic_prefix, partition, 1)
    settings = KafkaSettings(bootstrap_servers=kafka)
    watching = asyncio.create_task(stands_still(settings, topic_prefix, [partition], 0.5))
    _, waiting = await asyncio.wait({watching}, timeout=5)
    assert waiting == {watching}
    # Sixty-four keys: some of them belong to this partition.
    await send(kafka, partition.topic, [(bytes([n]), b"next") for n in range(64)])
    with pytest.raises(StandsStill, match=r"batches\[0\] at 1"):
        async with asyncio.timeout(WAIT_SECONDS):
            await watching


async def test_a_group_that_still_reads_its_tables_back_does_not_stand_still(
    kafka, topic_prefix, partition
):
    settings = KafkaSettings(bootstrap_servers=kafka)
    left = iter(range(10**9))
    watching = asyncio.create_task(
        stands_still(settings, topic_prefix, [partition], 0.5, lambda: next(left))
    )
    _, waiting = await asyncio.wait({watching}, timeout=3)
    watching.cancel()
    assert waiting == {watching}
