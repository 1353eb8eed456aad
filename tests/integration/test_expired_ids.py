"""It was quiet for so long that the broker has forgotten who we are: what comes next succeeds at once."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local import LocalKafka
from schemas import Category
from stream.cli.checks import _kafka
from stream.exactly_once.transactional_producer import transactional_id
from stream.kafka.private import client_of
from stream.kafka.transaction_state import last_transaction
from tests.faults.outages import EXPIRES_SOON
from tests.support.java import SHORT_LIVED
from tests.support.pipeline import (
    WAIT_SECONDS,
    create_topics,
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

# An id that has just been initialised must not be forgotten before a busy machine has used it.
FORGETS = {"offsets.retention.minutes": "90", "transactional.id.expiration.ms": "6000"}

REVIEW = '{"review_id": "r%d", "text": "чайник номер %d"}'


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forgetful")
    with LocalKafka(folder, properties=EXPIRES_SOON | FORGETS, jvm_flags=SHORT_LIVED) as kafka:
        yield kafka.bootstrap_servers


async def until_forgotten(kafka, name):
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while await last_transaction(client_of(consumer), name) is not None:  # noqa: ASYNC110 - it is asked
                await asyncio.sleep(0.2)
    finally:
        await consumer.stop()


def review(number):
    return b"r%d" % number, (REVIEW % (number, number)).encode()


async def test_a_worker_decides_the_next_review_once(forgetful, topic_prefix, tmp_path):
    settings = pipeline_settings(forgetful, topic_prefix)
    topics = settings.topic_names
    await create_topics(forgetful, topics)
    async with running_worker(settings, tiny_classifier(tmp_path)):
        await send(forgetful, topics.incoming, [review(1)])
        (first,) = await read_outputs(forgetful, topics, 1)
        partition, _ = source_of(first, topics)
        name = transactional_id(settings.worker.group, TopicPartition(topics.incoming, partition))
        await until_forgotten(forgetful, name)
        await send(forgetful, topics.incoming, [review(1)])
        outcomes = await read_outputs(forgetful, topics, 2)
    assert sorted(source_of(o, topics) for o in outcomes) == [(partition, 0), (partition, 1)]


async def test_the_queue_takes_the_next_decision_once(forgetful, topic_prefix, redis_url, tmp_path):
    settings = queue_settings(forgetful, topic_prefix, redis_url, tmp_path)
    await create_topics(forgetful, settings.topic_names)
    add_people(settings, "ann")
    await send_tasks(settings, [task(1), task(2)])
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        first = await ann.until_card()
        await ann.decide(first, Category("kids"))
        port = queue.url.rpartition(":")[2]
        await until_forgotten(forgetful, f"{topic_prefix}.queue.{topic_prefix}.{port}")
        second = await ann.until_card()
        saved = await ann.decide(second, Category("kids"))
        labels = await read_topic(forgetful, settings.topic_names.labels, 2)
    assert saved.status_code == 200
    assert sorted(record.key for record in labels) == [b"r1", b"r2"]


async def test_doctor_says_what_is_forgotten_too_soon(forgetful, topic_prefix):
    settings = pipeline_settings(forgetful, topic_prefix)
    await create_topics(forgetful, settings.topic_names)
    (found,) = [finding for finding in await _kafka(settings) if finding.name == "expiry"]
    assert found.state == "warning"
    assert "offsets of a group without members are kept for 1.5 h" in found.detail
    assert "transactional ids are kept for 0.00167 h" in found.detail
    assert "offsets.retention.minutes" in found.remedy
    assert "transactional.id.expiration.ms" in found.remedy


async def test_doctor_finds_the_usual_memory_long_enough(kafka, topics):
    found = {f.name: f for f in await _kafka(pipeline_settings(kafka, topics.prefix))}
    assert found["expiry"].state == "ok"
