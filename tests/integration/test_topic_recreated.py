"""A topic is deleted and made anew while we work: what comes then is decided and asked, all of it."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas import Category
from stream.kafka.clients import observer
from stream.kafka.connection import start
from stream.kafka.topic_creation import create_topics, delete_topics
from stream.kafka.topics import await_leaders
from tests.support.pipeline import (
    PARTITIONS,
    WAIT_SECONDS,
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
    source_of,
)
from tests.support.queue import (
    add_people,
    queue_settings,
    reviewer,
    running_queue,
    send_tasks,
    task,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka
BEFORE, AFTER = 3, 12


def often(settings):
    kafka = settings.kafka.model_copy(update={"metadata_max_age_ms": 500})
    return settings.model_copy(update={"kafka": kafka})


def reviews(first, count):
    row = '{"review_id": "r%d", "text": "чайник номер %d"}'
    return [(b"k", (row % (n, n)).encode()) for n in range(first, first + count)]


async def recreate(settings, topic):
    await delete_topics(settings, [topic])
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                await create_topics(settings)
                await await_leaders(settings.kafka, [topic])
            except KafkaError:
                await asyncio.sleep(0.1)
            else:
                return


async def test_a_worker_decides_all_of_the_new_incoming_topic(kafka, topics, tmp_path):
    settings = often(pipeline_settings(kafka, topics.prefix))
    async with running_worker(settings, tiny_classifier(tmp_path)):
        await send(kafka, topics.incoming, reviews(0, BEFORE))
        await read_outputs(kafka, topics, BEFORE)
        await recreate(settings, topics.incoming)
        # More than before, under one key: a position of the old topic lies among them.
        await send(kafka, topics.incoming, reviews(100, AFTER))
        records = await read_outputs(kafka, topics, BEFORE + AFTER)
    assert len(records) == BEFORE + AFTER
    partition = source_of(records[0], topics)[0]
    offsets = sorted(offset for p, offset in (source_of(r, topics) for r in records))
    assert offsets == sorted([*range(BEFORE), *range(AFTER)])
    assert {source_of(r, topics)[0] for r in records} == {partition}


async def test_a_reader_that_saw_nothing_of_it_reads_all_of_the_new_topic(kafka, topics):
    settings = pipeline_settings(kafka, topics.prefix, topics={"partitions": PARTITIONS})
    await send(kafka, topics.incoming, reviews(0, BEFORE))
    reader = observer(settings.kafka)
    await start(reader, settings.kafka)
    try:
        partitions = [TopicPartition(topics.incoming, number) for number in range(PARTITIONS)]
        reader.assign(partitions)
        before = await values_of(reader, BEFORE)
        reader.pause(*partitions)
        await recreate(settings, topics.incoming)
        await send(kafka, topics.incoming, reviews(100, AFTER))
        reader.resume(*partitions)
        after = await values_of(reader, AFTER)
    finally:
        await reader.stop()
    assert len(before) == BEFORE
    assert sorted(after) == sorted(value for _, value in reviews(100, AFTER))


async def values_of(reader, count):
    values = []
    async with asyncio.timeout(WAIT_SECONDS):
        while len(values) < count:
            found = await reader.getmany(timeout_ms=200)
            values += [record.value for records in found.values() for record in records]
    return values


async def test_the_queue_asks_all_of_the_new_relabel_topic(
    kafka, topic_prefix, topics, redis_url, tmp_path
):
    settings = often(queue_settings(kafka, topic_prefix, redis_url, tmp_path))
    add_people(settings, "ann")
    asked = []
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        for first, count in ((0, BEFORE), (100, AFTER)):
            if first:
                await recreate(settings, topics.relabel)
            await send_tasks(settings, [task(n) for n in range(first, first + count)])
            for _ in range(count):
                card = await ann.until_card()
                await ann.decide(card, Category("kids"))
                asked.append(card["review_id"])
        nothing = await ann.card()
        labels = await read_topic(kafka, topics.labels, BEFORE + AFTER)
    assert nothing == {}
    assert len(set(asked)) == len(asked) == len(labels) == BEFORE + AFTER
