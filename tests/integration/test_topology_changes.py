"""The cluster changes while we work: partitions are added, brokers come back under another address."""

import asyncio
import contextlib
import struct

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from deploy.local.ports import free_ports
from schemas import CategorizedReview, Category, Review, encode
from stream.clients import CategoryConsumer
from stream.kafka.clients import observer
from stream.kafka.connection import start
from stream.settings import load_settings
from tests.faults.kafka_proxy import KafkaProxy
from tests.support.pipeline import (
    PARTITIONS,
    WAIT_SECONDS,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
    source_of,
)
from tests.support.queue import add_people, queue_settings, reviewer, running_queue, task
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

OFTEN = {"metadata_max_age_ms": 500}
"""As the default of half a minute, but for a test."""
ADDED = PARTITIONS


def often(settings):
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update=OFTEN)})


async def add_partition(kafka, topic):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(ADDED + 1)})
    finally:
        await admin.close()


async def send_there(kafka, topic, key, value):
    """Publish to the added partition, once the broker knows it."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, metadata_max_age_ms=200)
    await producer.start()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while ADDED not in await producer.partitions_for(topic):  # noqa: ASYNC110 - it is asked
                await asyncio.sleep(0.1)
        await producer.send_and_wait(topic, key=key, value=value, partition=ADDED)
    finally:
        await producer.stop()


def review(number):
    name = f"r{number}"
    return name.encode(), encode(Review(review_id=name, text=f"чайник номер {number}"))


async def test_a_worker_takes_over_partitions_that_are_added(kafka, topics, tmp_path):
    settings = often(pipeline_settings(kafka, topics.prefix))
    async with running_worker(settings, tiny_classifier(tmp_path)):
        await send(kafka, topics.incoming, [review(n) for n in range(8)])
        await read_outputs(kafka, topics, 8)
        await add_partition(kafka, topics.incoming)
        await send_there(kafka, topics.incoming, *review(8))
        await send(kafka, topics.incoming, [review(n) for n in range(9, 17)])
        records = await read_outputs(kafka, topics, 17)
    sources = [source_of(record, topics) for record in records]
    assert len(sources) == len(set(sources)) == 17
    assert any(partition == ADDED for partition, _ in sources)


async def test_the_queue_asks_what_comes_by_an_added_partition_and_nothing_twice(
    kafka, topic_prefix, topics, redis_url, tmp_path
):
    settings = often(queue_settings(kafka, topic_prefix, redis_url, tmp_path))
    add_people(settings, "ann")
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await send(kafka, topics.relabel, [(b"r1", encode(task(1)))])
        first = await ann.until_card()
        await ann.decide(first, Category("kids"))
        await add_partition(kafka, topics.relabel)
        await send_there(kafka, topics.relabel, b"r2", encode(task(2)))
        second = await ann.until_card()
        await ann.decide(second, Category("kids"))
        nothing = await ann.card()
    assert (first["review_id"], second["review_id"], nothing) == ("r1", "r2", {})


async def test_a_reader_without_a_group_reads_added_partitions_too(kafka, topics):
    settings = often(pipeline_settings(kafka, topics.prefix))
    topic = topics.category(Category("kids"))

    def event(name):
        return encode(
            CategorizedReview(
                review=Review(review_id=name, text="кукла"), category=Category("kids"),
                confidence=1.0, decided_by="person",
            )
        )  # fmt: skip

    seen = []
    async with CategoryConsumer(["kids"], settings=settings) as events:
        await send(kafka, topic, [(b"a", event("a"))])
        async with asyncio.timeout(WAIT_SECONDS):
            seen.append((await anext(events)).review.review_id)
            await add_partition(kafka, topic)
            await send_there(kafka, topic, b"b", event("b"))
            seen.append((await anext(events)).review.review_id)
    assert seen == ["a", "b"]


async def test_a_client_finds_brokers_that_came_back_under_another_address(kafka, topics):
    real = int(kafka.rpartition(":")[2])
    door, before, after = free_ports(3)
    host = b"127.0.0.1"

    def to(port):
        return lambda reply: reply.replace(
            host + struct.pack(">i", real), host + struct.pack(">i", port)
        )

    settings = load_settings(
        kafka={"bootstrap_servers": f"127.0.0.1:{door}", "request_timeout_ms": 2000, **OFTEN}
    )
    async with contextlib.AsyncExitStack() as stack:
        entrance = await stack.enter_async_context(KafkaProxy(door, real))
        entrance.rewrite = to(before)
        first = KafkaProxy(before, real)
        first.rewrite = to(before)
        await first.__aenter__()
        consumer = observer(settings.kafka)
        consumer.subscribe([topics.incoming])
        try:
            await start(consumer, settings.kafka)
            await send(kafka, topics.incoming, [review(1)])
            async with asyncio.timeout(WAIT_SECONDS):
                assert (await consumer.getone()).key == b"r1"
            second = await stack.enter_async_context(KafkaProxy(after, real))
            second.rewrite = entrance.rewrite = to(after)
            await first.__aexit__(None, None, None)
            await send(kafka, topics.incoming, [review(2)])
            async with asyncio.timeout(WAIT_SECONDS):
                assert (await consumer.getone()).key == b"r2"
        finally:
            await consumer.stop()
