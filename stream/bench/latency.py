"""Latency under open-loop load: from the moment a review should have been sent to its topic.

Open loop: the schedule does not wait for the system, and latency counts from the scheduled moment,
so that a stall is felt by every review that it held up (coordinated omission; Gil Tene).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import TopicNames
from stream.bench.cluster import OpenPartitions, WorkerUsage, fresh_topics, numbered, workers
from stream.bench.pipeline import model_alone
from stream.bench.report import BenchmarkReport, Figure
from stream.kafka.clients import bulk_producer, observer
from stream.settings import Settings

LOADS: Final = (0.1, 0.5, 0.8)
_WARM_UP_SECONDS: Final = 3.0
# A broker just started compiles its code (Java) as it runs; after a minute it is done.
_BROKER_WARM_UPS: Final = 3
_WARMING_LOAD: Final = 0.3
_SEED: Final = 7
# They fit one batch, whatever their length.
_MOST_AT_A_TIME: Final = 256
_BATCH_BYTES: Final = 1024 * 1024
# Reviews that have not come by then never will.
_LATEST_SECONDS: Final = 60.0

Moments = NDArray[np.float64]
"""Seconds, one for each review, in the order in which they are sent."""

Serve = Callable[[Settings, OpenPartitions], AbstractContextManager[Sequence[WorkerUsage]]]
"""Runs what answers the reviews, and tells which partitions it reads."""


def one_worker(
    settings: Settings, opened: OpenPartitions
) -> AbstractContextManager[Sequence[WorkerUsage]]:
    """Run one worker with the real model."""
    return workers(settings, 1, None, opened)


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds from scheduled sending to reading, and how many were measured."""

    p50: float
    p99: float
    p999: float
    reviews: int
    stages: dict[str, float]
    """Milliseconds by stage of the worker, mean over batches."""


def bench_latency(
    settings: Settings,
    texts: Sequence[str],
    capacity: float | None = None,
    rounds: int = 3,
    seconds: float = 15,
) -> BenchmarkReport:
    """Measure latency at shares of a capacity.

    Args:
        settings: connection and model.
        texts: real reviews.
        capacity: reviews a second that are the whole load; measured unless given.
        rounds: interleaved rounds.
        seconds: length of one measurement, after warming up.
    """
    figures = {
        (load, name): Figure(f"{name} at {load:.0%} load", "ms")
        for load in LOADS
        for name in ("p50", "p99", "p99.9")
    }
    last: dict[float, Latencies] = {}
    alone = model_alone(settings, texts)
    for _ in range(_BROKER_WARM_UPS):  # with many small transactions
        measure_latency(settings, texts, alone * _WARMING_LOAD, seconds)
    if capacity is None:
        capacity = measure_capacity(settings, texts, alone, seconds)
    for _ in range(rounds):
        for load in LOADS:
            found = last[load] = measure_latency(settings, texts, capacity * load, seconds)
            for name, value in zip(
                ("p50", "p99", "p99.9"), (found.p50, found.p99, found.p999), strict=True
            ):
                figures[load, name].rounds.append(value)
    stages = {f"stage_ms_at_{load:.0%}": found.stages for load, found in last.items()}
    report = BenchmarkReport("Latency", f"p50 at {LOADS[0]:.0%} load", list(figures.values()))
    report.facts |= {"capacity": capacity, "seconds": seconds} | stages
    return report


def measure_capacity(
    settings: Settings,
    texts: Sequence[str],
    rate: float,
    seconds: float,
    serve: Serve = one_worker,
) -> float:
    """Return the reviews a second that come out while more than that come in.

    Sender and reader share the machine, as they do when latency is measured: that costs the worker
    a part of what it does with a topic that was filled before.

    Args:
        settings: connection and model.
        texts: real reviews.
        rate: at which they come in: more than the worker can do.
        seconds: length of the measurement, after warming up.
        serve: what is measured.
    """
    run = asyncio.run(_run(settings, texts, rate, seconds, serve=serve))
    begin, end = run.due[0] + _WARM_UP_SECONDS, run.due[-1]
    return float(np.sum((run.received > begin) & (run.received <= end)) / (end - begin))


def measure_latency(
    settings: Settings,
    texts: Sequence[str],
    rate: float,
    seconds: float,
    partitions: int = 4,
    serve: Serve = one_worker,
) -> Latencies:
    """Run one worker, or another one, under a steady load, on topics of its own, which are removed afterwards.

    Args:
        settings: connection and model.
        texts: real reviews.
        rate: reviews a second.
        seconds: length of the measurement, after warming up.
        partitions: of the input.
        serve: what is measured.
    """
    run = asyncio.run(_run(settings, texts, rate, seconds, partitions, serve))
    warm = run.due >= run.due[0] + _WARM_UP_SECONDS
    measured = (run.received - run.due)[warm] * 1000
    p50, p99, p999 = np.percentile(measured, [50, 99, 99.9]).tolist()
    return Latencies(p50, p99, p999, len(measured), run.stages)


@dataclass(frozen=True, slots=True)
class _Run:
    due: Moments
    received: Moments
    stages: dict[str, float]


async def _run(
    base: Settings,
    texts: Sequence[str],
    rate: float,
    seconds: float,
    partitions: int = 4,
    serve: Serve = one_worker,
) -> _Run:
    gaps = np.random.default_rng(_SEED).exponential(
        1 / rate, int(rate * (seconds + _WARM_UP_SECONDS))
    )
    opened = OpenPartitions(1)
    async with fresh_topics(base, partitions) as settings:
        with serve(settings, opened) as usage:
            reading = asyncio.create_task(arrivals(settings, len(gaps)))
            await opened.spread_over(settings.topics.partitions)
            due = await _send(settings, texts, np.cumsum(gaps))
            async with asyncio.timeout(_LATEST_SECONDS):
                received = await reading
    return _Run(due, received, _with_waiting(usage[0].stages) if usage else {})


def _with_waiting(stages: dict[str, float]) -> dict[str, float]:
    """Name what is left of ``total``: waiting for a full batch, for the model, and for the loop."""
    named = sum(ms for stage, ms in stages.items() if stage != "total")
    return stages | {"waiting": max(stages.get("total", 0.0) - named, 0.0)}


async def _send(settings: Settings, texts: Sequence[str], schedule: Moments) -> Moments:
    """Send on schedule and return when each review was due.

    What is due at the same time goes out together, as from any producer under load; the sender
    shares the cores with all that is measured.
    """
    topic = settings.topic_names.incoming
    values = [
        json.dumps({"review_id": f"r{i}", "text": text}, ensure_ascii=False).encode()
        for i, text in enumerate(numbered(texts, len(schedule)))
    ]
    producer = bulk_producer(settings.kafka, _BATCH_BYTES)
    await producer.start()
    try:
        partitions = sorted(await producer.partitions_for(topic))
        due = time.time() + schedule
        sent = 0
        while sent < len(due):
            if (wait := due[sent] - time.time()) > 0:
                await asyncio.sleep(wait)
            ready = max(int(np.searchsorted(due, time.time())), sent + 1)
            ready = min(ready, sent + _MOST_AT_A_TIME)
            batches = {p: producer.create_batch() for p in partitions[: ready - sent]}
            for i in range(sent, ready):
                batch = batches[partitions[(i - sent) % len(batches)]]
                batch.append(timestamp=None, key=_key(i), value=values[i])
            for partition, batch in batches.items():
                await producer.send_batch(batch, topic, partition=partition)
            sent = ready
            random.shuffle(partitions)  # the first of them get the small batches
        await producer.flush()
    finally:
        await producer.stop()
    return due


async def arrivals(settings: Settings, count: int) -> Moments:
    """Read outputs until all are there, and return when each was, seconds since 1970."""
    topics: TopicNames = settings.topic_names
    consumer = observer(settings.kafka)
    await consumer.start()
    consumer.subscribe([*topics.categories, topics.relabel])
    received = np.zeros(count)
    missing = count
    try:
        while missing:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                received[[_number(record.key) for record in records]] = time.time()
                missing -= len(records)
    finally:
        await consumer.stop()
    return received


def _key(number: int) -> bytes:
    return b"r%d" % number


def _number(key: bytes) -> int:
    return int(key[1:])
