"""Retention and reviews that nobody has read: dates of producers do not hasten it, and what it took is said."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime

import pytest
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from deploy.local import LocalKafka
from schemas import BatchSummary, Review, decode, encode
from stream.kafka.lag import worker_lag
from stream.kafka.topic_creation import create_topics
from stream.monitor.engine import Engine
from stream.monitor.snapshot import snapshot
from stream.settings import MonitorSettings
from tests.support.java import SHORT_LIVED
from tests.support.pipeline import (
    WAIT_SECONDS,
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
    source_of,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

LONG_AGO = int(datetime(2020, 5, 1, tzinfo=UTC).timestamp() * 1000)
IN_2099 = int(datetime(2099, 1, 1, tzinfo=UTC).timestamp() * 1000)
NO_TIMESTAMP = -1
# A broker looks every five minutes for what is too old.
EAGER = {"log.retention.check.interval.ms": "200", "log.initial.task.delay.ms": "200"}


@contextlib.asynccontextmanager
async def administrator(kafka):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    yield admin
    await admin.close()


async def deleted_up_to(kafka, topic, offset):
    """Wait until retention has taken a topic's records before an offset."""
    tp = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        async with asyncio.timeout(WAIT_SECONDS):
            # The broker tells nobody: it must be asked.
            while (await consumer.beginning_offsets([tp]))[tp] < offset:  # noqa: ASYNC110
                await asyncio.sleep(0.2)


async def test_a_review_that_its_producer_dates_years_back_is_there_until_it_is_decided(
    tmp_path, topic_prefix
):
    with LocalKafka(tmp_path / "kafka", properties=EAGER, jvm_flags=SHORT_LIVED) as broker:
        kafka = broker.bootstrap_servers
        settings = pipeline_settings(kafka, topic_prefix)
        await create_topics(settings)
        topics = settings.topic_names
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        await admin.create_topics(
            [NewTopic("usual", 1, 1, topic_configs={"retention.ms": "60000"})]
        )
        await admin.close()
        value = encode(Review(review_id="r1", text="платье хорошее"))
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            for topic in (topics.incoming, "usual"):
                await producer.send_and_wait(topic, value, partition=0, timestamp_ms=LONG_AGO)
        # A topic that believes its producers has lost it by now.
        await deleted_up_to(kafka, "usual", 1)
        async with running_worker(settings, tiny_classifier(tmp_path / "model")):
            assert len(await read_outputs(kafka, topics, 1)) == 1


async def test_reviews_dated_1970_2099_or_not_at_all_leave_the_monitors_windows_whole(
    kafka, topic_prefix, tmp_path
):
    settings = pipeline_settings(kafka, topic_prefix)
    topics = settings.topic_names
    async with administrator(kafka) as admin:
        # A topic of somebody else, which believes its producers whatever they say.
        believes = {
            "message.timestamp.type": "CreateTime",
            "message.timestamp.after.max.ms": str(2**62),
            "message.timestamp.before.max.ms": str(2**62),
            # The broker may look for what is too old before the worker has read it.
            "retention.ms": "-1",
        }
        await admin.create_topics([NewTopic(topics.incoming, 4, 1, topic_configs=believes)])
    await create_topics(settings)
    dated = {0: 5, 1: IN_2099, 2: NO_TIMESTAMP, 3: int(time.time() * 1000)}
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for number, milliseconds in dated.items():
            value = encode(Review(review_id=f"r{number}", text=f"платье {number}"))
            await producer.send_and_wait(
                topics.incoming, value, partition=number, timestamp_ms=milliseconds
            )
    async with running_worker(settings, tiny_classifier(tmp_path / "model")) as worker:
        await read_outputs(kafka, topics, len(dated))
        records = await read_topic(kafka, topics.batches, len(dated))
    summaries = {s.source_partition: s for s in (decode(BatchSummary, r.value) for r in records)}
    now = max(s.processed_at for s in summaries.values()).timestamp()
    later = MonitorSettings().grace_seconds + MonitorSettings().window_seconds + now
    engine = Engine(MonitorSettings(), clock=lambda: later)
    for partition, summary in sorted(summaries.items()):
        engine.apply_batch(partition, 0, summary)
    # All partitions go on, and the windows close.
    for partition, summary in sorted(summaries.items()):
        moved = {"last_event_at": datetime.fromtimestamp(later, UTC)}
        moved["processed_at"] = moved["last_event_at"]
        engine.apply_batch(partition, 1, summary.model_copy(update=moved))
    closed = [w for w in engine.closed_windows() if w.kind == "tumbling"]
    counted = [sum(c.published + c.relabelled for c in w.categories) for w in closed]
    # What is older than all that is kept is in the totals alone.
    assert sum(counted) == len(dated) - 1
    assert engine.history.total().reviews == 2 * len(dated)
    assert summaries[2].first_event_at == summaries[2].processed_at
    assert snapshot(engine, 3600)["totals"]["reviews"] == 2 * len(dated)
    delays = worker.metrics.registry.get_sample_value("reviews_end_to_end_seconds_count")
    assert delays == len(dated) - 1


async def test_reviews_that_were_deleted_unread_are_counted_and_said(kafka, topic_prefix, tmp_path):
    settings = pipeline_settings(kafka, topic_prefix)
    await create_topics(settings)
    topics = settings.topic_names
    reviews = [(b"k", encode(Review(review_id=f"r{n}", text="платье"))) for n in range(5)]
    classifier = tiny_classifier(tmp_path / "model")
    await send(kafka, topics.incoming, reviews[:1])
    async with running_worker(settings, classifier):
        (first,) = await read_outputs(kafka, topics, 1)
    partition = source_of(first, topics)[0]
    await send(kafka, topics.incoming, reviews[1:])
    async with administrator(kafka) as admin:
        await admin.delete_records({TopicPartition(topics.incoming, partition): RecordsToDelete(4)})
    assert {lag.partition: lag.deleted for lag in await worker_lag(settings) if lag.deleted} == {
        partition: 3
    }
    with structlog.testing.capture_logs() as logs:
        async with running_worker(settings, classifier):
            last = (await read_outputs(kafka, topics, 2))[-1]
    assert source_of(last, topics) == (partition, 4)
    said = [entry for entry in logs if entry["event"] == "position_is_gone"]
    assert [(entry["partition"], entry["offset"]) for entry in said] == [
        (f"{topics.incoming}[{partition}]", 1)
    ]
