"""Driving the real pipeline in tests: topics, input events, a running worker, committed outputs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from schemas import CategorizedReview, DeadLetterReason, RelabelTask, TopicNames, decode
from stream.kafka import topic_creation
from stream.kafka.topics import await_leaders
from stream.model.classifier import Classifier
from stream.settings import Settings, load_settings
from stream.worker.app import Worker

PARTITIONS = 4
# Generous: it only bounds a failure. Two loaded cores have been seen to take 20 s for a rebalance.
WAIT_SECONDS = 60


def pipeline_settings(
    kafka: str, prefix: str, redis_url: str | None = None, **sections: Any
) -> Settings:
    """Return settings for topics of one's own: fast heartbeats, any free health port."""
    base: dict[str, Any] = {
        "kafka": {"bootstrap_servers": kafka},
        "topics": {"prefix": prefix},
        "cache": {"url": redis_url or "", "key": "the key of the tests' caches"},
        "http": {"port": 0},
        "worker": {"group": f"{prefix}-workers", "heartbeat_interval_ms": 500},
    }
    for name, values in sections.items():
        base[name] = {**base.get(name, {}), **values}
    return load_settings(**base)


async def create_topics(kafka: str, topics: TopicNames, partitions: int = PARTITIONS) -> Settings:
    """Create every topic of the contract; return when they can be written to, with their settings."""
    settings = pipeline_settings(kafka, topics.prefix, topics={"partitions": partitions})
    created = await topic_creation.create_topics(settings)
    async with asyncio.timeout(WAIT_SECONDS):
        await await_leaders(settings.kafka, [topic.name for topic in created])
    return settings


async def send(
    kafka: str, topic: str, messages: Iterable[tuple[bytes | None, bytes | None]]
) -> int:
    """Publish key and value pairs; return how many were acknowledged."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, enable_idempotence=True, max_request_size=4_000_000
    )
    await producer.start()
    try:
        deliveries = [await producer.send(topic, key=key, value=value) for key, value in messages]
        await asyncio.gather(*deliveries)
    finally:
        await producer.stop()
    return len(deliveries)


@contextlib.asynccontextmanager
async def running_worker(
    settings: Settings, classifier: Classifier, tracing: Any = None
) -> AsyncIterator[Worker]:
    """Run a worker in this process; drain it at the end and raise what it raised."""
    worker = Worker(settings, classifier, tracing)
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    body = asyncio.current_task()
    # A worker that ends early must not leave the test waiting for outputs.
    task.add_done_callback(lambda _: body.cancel() if body and not stop.is_set() else None)
    try:
        yield worker
    except asyncio.CancelledError:
        if not task.done():
            raise
    finally:
        stop.set()
        _, running = await asyncio.wait([task], timeout=WAIT_SECONDS)
        if running:
            stack = "".join(frame for t in asyncio.all_tasks() for frame in _where(t))
            task.cancel()
            raise TimeoutError(f"the worker did not drain within {WAIT_SECONDS} s: {stack}")
        await task


def _where(task: asyncio.Task[Any]) -> list[str]:
    """Tell in which line a task waits: whoever reads of a time-out sees no more than its message."""
    frames = task.get_stack(limit=1)
    return [f"{task.get_name()} {f.f_code.co_filename}:{f.f_lineno}; " for f in frames]


async def read_outputs(kafka: str, topics: TopicNames, count: int) -> list[ConsumerRecord]:
    """Read committed outputs of the worker; see :func:`read_topics`."""
    return await read_topics(kafka, topics.outputs(), count)


async def read_topic(kafka: str, topic: str, at_least: int) -> list[ConsumerRecord]:
    """Read one topic; see :func:`read_topics`."""
    return await read_topics(kafka, [topic], at_least)


async def read_topics(kafka: str, topics: Iterable[str], count: int) -> list[ConsumerRecord]:
    """Read committed records until there are ``count``; then once more, so that extras show.

    Raises:
        TimeoutError: fewer came.
    """
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=kafka,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    records: list[ConsumerRecord] = []
    try:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while len(records) < count:
                    for batch in (await consumer.getmany(timeout_ms=200)).values():
                        records += batch
        except TimeoutError:
            raise TimeoutError(await _missing(consumer, records, count)) from None
        for batch in (await consumer.getmany(timeout_ms=300)).values():
            records += batch
    finally:
        await consumer.stop()
    return records


async def _missing(consumer: AIOKafkaConsumer, records: list[ConsumerRecord], count: int) -> str:
    """Tell what came, and how far each partition was read and ends: those of transactions included."""
    came = sorted((record.topic, record.partition, record.offset) for record in records)
    partitions = sorted(consumer.assignment())
    ends = await consumer.end_offsets(partitions)
    read = {tp: (await consumer.position(tp), ends[tp]) for tp in partitions if ends[tp]}
    unread = {f"{tp.topic}[{tp.partition}]": at for tp, at in read.items()}
    return f"{len(records)} of {count} came: {came}; read up to, of: {unread}"


def source_of(record: ConsumerRecord, topics: TopicNames) -> tuple[int, int]:
    """Return the input partition and offset that an output answers."""
    if record.topic == topics.dead_letter:
        source = DeadLetterReason.from_headers(record.headers).source
    elif record.topic == topics.relabel:
        source = decode(RelabelTask, record.value).source
    else:
        found = decode(CategorizedReview, record.value).source
        assert found is not None
        source = found
    return source.partition, source.offset


def by_topic(records: Iterable[ConsumerRecord]) -> Mapping[str, list[ConsumerRecord]]:
    """Group records by topic."""
    grouped: dict[str, list[ConsumerRecord]] = {}
    for record in records:
        grouped.setdefault(record.topic, []).append(record)
    return grouped


def tiny_folder(tmp_path: Path) -> Path:
    """Return where a test keeps its tiny model."""
    return tmp_path / "model"
