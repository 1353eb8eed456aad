"""Workers as processes of their own on topics of their own, and the wait until they are done."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.bench.doubles import EmulatedAccelerator
from stream.bench.usage import cpu_seconds
from stream.kafka.administering import administering
from stream.kafka.clients import bulk_producer
from stream.kafka.topic_creation import create_topics, delete_topics
from stream.logs import configure_logs
from stream.model.classifier import Classifier
from stream.settings import Settings, load_settings
from stream.worker.app import Worker
from stream.worker.gc_tuning import tuned_gc

# Spawned, not forked: a worker must not inherit our event loop or sessions.
_PROCESSES: Final = multiprocessing.get_context("spawn")
_POLL_SECONDS: Final = 0.1
_TIMEOUT_SECONDS: Final = 300.0
_BATCH_BYTES: Final = 256 * 1024
# Longer than any measurement, and soon enough that a Redis of somebody's own is not left full.
_CACHE_SECONDS: Final = 900
# Eight digits always, so that every text has as many word pieces with its number as any other.
FIRST_NUMBER: Final = 10_000_000
_NUMBERS: Final = 80_000_000


@dataclass(frozen=True, slots=True)
class WorkerUsage:
    """What a worker process cost, told when it ended."""

    cpu_seconds: float
    memory_bytes: int
    started_seconds: float
    """From process start to the first assigned partition."""
    stages: dict[str, float]
    """Milliseconds by stage, mean over batches; ``total`` is from intake to commit."""
    batch_rows: float
    """Reviews in a micro-batch, mean."""


class OpenPartitions:
    """How many partitions each worker process publishes for at this moment.

    Args:
        workers: processes to come.
    """

    def __init__(self, workers: int) -> None:
        self.by_worker: Any = _PROCESSES.Array("i", workers)

    async def spread_over(self, partitions: int) -> None:
        """Wait until all partitions are open and every worker has as many as any other.

        Raises:
            TimeoutError: it takes more than five minutes.
        """
        share = partitions // len(self.by_worker)
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            while list(self.by_worker) != [share] * len(self.by_worker):  # noqa: ASYNC110 - memory
                await asyncio.sleep(_POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class Drained:
    """How fast a backlog was worked off."""

    rate: float
    """Events a second from the first commit that was seen to the last; what was committed by the
    first is not counted."""
    seconds: float
    """That time."""
    cpu_us: dict[str, float]
    """CPU microseconds an event in that time, by process: see :mod:`stream.bench.usage`."""


@asynccontextmanager
async def fresh_topics(
    base: Settings, partitions: int = 4, **sections: dict[str, Any]
) -> AsyncIterator[Settings]:
    """Yield settings like ``base``, on topics and in a group of their own.

    The topics are removed at the end, however that comes: the broker may be somebody's own, and a
    backlog of a million reviews is no small thing to leave on it.

    Args:
        base: connection and model.
        partitions: of each topic.
        sections: what else is different, by section.

    Raises:
        BrokerError: no broker answers, or it refuses to create a topic.
    """
    settings = _fresh_settings(base, partitions, sections)
    try:
        await create_topics(settings)
        yield settings
    finally:
        await delete_topics(settings, [policy.name for policy in settings.topic_names.policies()])


def _fresh_settings(
    base: Settings, partitions: int, sections: Mapping[str, dict[str, Any]]
) -> Settings:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    values = base.model_dump()
    values["topics"] |= {"prefix": name, "incoming": "", "partitions": partitions}
    values["worker"] |= {"group": name}
    values["cache"] |= {"ttl": _CACHE_SECONDS}
    values["http"] |= {"port": 0, "enabled": False}
    values["log"] |= {"level": "error"}
    for key, section in sections.items():
        values[key] |= section
    return load_settings(**values)


def unused_number() -> int:
    """Return where to begin numbering reviews so that no earlier round's answers are in the cache."""
    return FIRST_NUMBER + uuid.uuid4().int % _NUMBERS


def numbered(texts: Sequence[str], count: int) -> Iterator[str]:
    """Yield ``count`` reviews, cycling through the texts.

    Every review is made a text of its own by a number, which no other call uses: nothing is in the
    cache from an earlier round.
    """
    first = unused_number()
    return (f"{texts[i % len(texts)]} {first + i}" for i in range(count))


async def publish(settings: Settings, texts: Iterable[str]) -> None:
    """Publish reviews as fast as the broker takes them, dealt to the partitions in turn.

    Whole batches are handed to the client: it takes three times as long over single messages, and a
    million of them would take longer to publish than to classify.
    """
    topic = settings.topic_names.incoming
    producer = bulk_producer(settings.kafka, _BATCH_BYTES, linger_ms=20)
    await producer.start()
    try:
        partitions = sorted(await producer.partitions_for(topic))
        open_batches = {partition: producer.create_batch() for partition in partitions}
        deliveries: list[asyncio.Future[Any]] = []

        async def send(partition: int) -> None:
            batch = open_batches[partition]
            deliveries.append(await producer.send_batch(batch, topic, partition=partition))
            open_batches[partition] = producer.create_batch()

        for i, text in enumerate(texts):
            partition = partitions[i % len(partitions)]
            value = json.dumps({"review_id": f"r{i}", "text": text}, ensure_ascii=False).encode()
            message: dict[str, Any] = {"timestamp": None, "key": f"r{i}".encode(), "value": value}
            if open_batches[partition].append(**message) is None:  # full
                await send(partition)
                open_batches[partition].append(**message)
        for partition in partitions:
            if open_batches[partition].record_count():
                await send(partition)
        await asyncio.gather(*deliveries)
    finally:
        await producer.stop()


@contextmanager
def workers(
    settings: Settings, count: int, seconds: float | None, opened: OpenPartitions | None = None
) -> Iterator[list[WorkerUsage]]:
    """Run worker processes; their usage is in the list once the context is left.

    Args:
        settings: of all of them.
        count: how many.
        seconds: of the emulated accelerator (0: the free model); None: the real model.
        opened: where they tell how many partitions they have open.
    """
    usage: list[WorkerUsage] = []
    told: Queue[WorkerUsage] = _PROCESSES.Queue()
    processes: list[BaseProcess] = [
        _PROCESSES.Process(
            target=_work,
            args=(settings, seconds, told, number, opened.by_worker if opened else None),
            daemon=True,
        )
        for number in range(count)
    ]
    for process in processes:
        process.start()
    try:
        yield usage
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(timeout=30)
            process.kill()
        # Whoever was ended before it could hear of it has nothing to tell.
        with suppress(Empty):
            while len(usage) < count:
                usage.append(told.get(timeout=1))


async def drained(settings: Settings, count: int) -> Drained:
    """Wait until the group has committed ``count`` events.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        TimeoutError: it takes more than five minutes.
    """
    first, before, cpu = 0.0, 0, cpu_seconds()
    async with asyncio.timeout(_TIMEOUT_SECONDS), administering(settings.kafka) as admin:
        coordinator = await _coordinator(admin, settings.worker.group)
        while True:
            done = await _committed(admin, settings.worker.group, coordinator)
            now = time.monotonic()
            if done and not first:
                first, before, cpu = now, done, cpu_seconds()
            if done >= count:
                break
            await asyncio.sleep(_POLL_SECONDS)
    events, spent = max(count - before, 1), cpu_seconds()
    cpu_us = {kind: (s - cpu.get(kind, 0.0)) / events * 1e6 for kind, s in spent.items()}
    seconds = max(now - first, _POLL_SECONDS)
    return Drained(events / seconds, seconds, cpu_us)


async def _coordinator(admin: AIOKafkaAdminClient, group: str) -> int:
    """Return the broker that a group's offsets are asked of."""
    while True:
        with suppress(KafkaError):  # it is still being made one
            found: int = await admin.find_coordinator(group)
            if found >= 0:
                return found
        await asyncio.sleep(_POLL_SECONDS)


async def _committed(admin: AIOKafkaAdminClient, group: str, coordinator: int) -> int:
    """Return how many events a group has committed; none while its coordinator cannot say.

    One request: with one a partition, or one for the coordinator each time, asking took 1.5% to 3%
    of all CPU time.
    """
    try:
        offsets = await admin.list_consumer_group_offsets(group, coordinator)
    except KafkaError:
        return 0
    return sum(max(offset.offset, 0) for offset in offsets.values())


def _work(
    settings: Settings,
    seconds: float | None,
    told: Queue[WorkerUsage],
    number: int,
    opened: Any,
) -> None:
    """Body of a worker process; it tells its open partitions under its number, if that is wanted."""
    began = time.monotonic()
    configure_logs(settings.log, settings.privacy.redact_kinds)
    model = settings.model
    if seconds is None:
        classifier = Classifier.load(model.folder, model.device, model.threads, model.chunk_tokens)
    else:
        classifier = EmulatedAccelerator(model.folder, seconds)
    worker = Worker(settings, classifier)

    def tell(open_partitions: int) -> None:
        if opened is not None:
            opened[number] = open_partitions

    with tuned_gc():
        started = asyncio.run(_until_terminated(worker, began, tell))
    used = resource.getrusage(resource.RUSAGE_SELF)
    told.put(
        WorkerUsage(
            cpu_seconds=used.ru_utime + used.ru_stime,
            memory_bytes=used.ru_maxrss * 1024,
            started_seconds=started,
            stages=_means(worker, "reviews_stage_seconds", scale=1000),
            batch_rows=_means(worker, "reviews_batch_rows").get("", 0.0),
        )
    )


async def _until_terminated(worker: Worker, began: float, tell: Callable[[int], None]) -> float:
    """Run a worker; return when it was ready for the first time, in seconds since ``began``."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    task = asyncio.create_task(worker.run(stop))
    started = 0.0
    while not task.done():
        if worker.ready:
            started = started or time.monotonic() - began
            assigned = worker.metrics.registry.get_sample_value("reviews_assigned_partitions")
            tell(int(assigned or 0))
        else:
            tell(0)
        await asyncio.wait([task], timeout=_POLL_SECONDS)
    await task
    return started


def _means(worker: Worker, histogram: str, scale: float = 1.0) -> dict[str, float]:
    """Return a histogram's means by its stage, or under an empty name where it has none."""
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    for metric in worker.metrics.registry.collect():
        if metric.name == histogram:
            for sample in metric.samples:
                into = {"sum": sums, "count": counts}.get(sample.name.rpartition("_")[2], {})
                into[sample.labels.get("stage", "")] = sample.value
    return {stage: sums[stage] / n * scale for stage, n in counts.items() if n}
