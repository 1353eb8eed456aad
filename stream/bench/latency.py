"""Latency under open-loop load: from the moment a review should have been sent to its topic.

Open loop: the schedule does not wait for the system, and latency counts from the scheduled moment,
so that a stall is felt by every review that it held up (coordinated omission; Gil Tene).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas import TopicNames
from stream.bench.cluster import fresh_settings, unused_number, workers
from stream.bench.report import Figure, Report
from stream.kafka import connection_options
from stream.settings import Settings
from stream.topics_admin import create_topics, delete_topics

LOADS: Final = (0.1, 0.5, 0.8)
_WARM_UP_SECONDS: Final = 3.0
_SENT: Final = "sent"


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
    settings: Settings, texts: Sequence[str], capacity: float, rounds: int = 3, seconds: float = 15
) -> Report:
    """Measure latency at shares of a capacity.

    Args:
        settings: connection and model.
        texts: real reviews.
        capacity: saturated reviews a second, from the pipeline benchmark.
        rounds: interleaved rounds.
        seconds: length of one measurement, after warming up.
    """
    figures = {
        (load, name): Figure(f"{name} at {load:.0%} load", "ms")
        for load in LOADS
        for name in ("p50", "p99", "p99.9")
    }
    last: dict[float, Latencies] = {}
    # A broker just started compiles its code (Java): once with many small transactions, unmeasured.
    measure_latency(settings, texts, capacity * LOADS[1], seconds)
    for _ in range(rounds):
        for load in LOADS:
            found = last[load] = measure_latency(settings, texts, capacity * load, seconds)
            for name, value in zip(
                ("p50", "p99", "p99.9"), (found.p50, found.p99, found.p999), strict=True
            ):
                figures[load, name].rounds.append(value)
    stages = {f"stage_ms_at_{load:.0%}": found.stages for load, found in last.items()}
    report = Report("Latency", f"p50 at {LOADS[0]:.0%} load", list(figures.values()))
    report.facts |= {"capacity": capacity, "seconds": seconds} | stages
    return report


def measure_latency(
    settings: Settings, texts: Sequence[str], rate: float, seconds: float
) -> Latencies:
    """Run one worker under a steady load, on topics of its own, which are removed afterwards.

    Args:
        settings: connection and model.
        texts: real reviews.
        rate: reviews a second.
        seconds: length of the measurement, after warming up.
    """
    return asyncio.run(_measure(settings, texts, rate, seconds))


async def _measure(base: Settings, texts: Sequence[str], rate: float, seconds: float) -> Latencies:
    settings = fresh_settings(base)
    await create_topics(settings)
    try:
        with workers(settings, 1, None) as usage:
            count = int(rate * (seconds + _WARM_UP_SECONDS))
            reading = asyncio.create_task(_read(settings, count))
            start = await _send(settings, texts, rate, seconds + _WARM_UP_SECONDS)
            pairs = np.asarray(await reading)
    finally:
        await delete_topics(settings, [policy.name for policy in settings.topic_names.policies()])
    sent, received = pairs[:, 0], pairs[:, 1]
    measured = (received - sent)[sent >= start + _WARM_UP_SECONDS] * 1000
    p50, p99, p999 = np.percentile(measured, [50, 99, 99.9]).tolist()
    stages = _with_waiting(usage[0].stages) if usage else {}
    return Latencies(p50, p99, p999, len(measured), stages)


def _with_waiting(stages: dict[str, float]) -> dict[str, float]:
    """Name what is left of ``total``: waiting for a full batch, for the model, and for the loop."""
    named = sum(ms for stage, ms in stages.items() if stage != "total")
    return stages | {"waiting": max(stages.get("total", 0.0) - named, 0.0)}


async def _send(settings: Settings, texts: Sequence[str], rate: float, seconds: float) -> float:
    """Send on schedule (exponential gaps, fixed seed); return when the schedule began."""
    first = unused_number()
    gaps = np.random.default_rng(7).exponential(1 / rate, int(rate * seconds))
    producer = AIOKafkaProducer(**connection_options(settings.kafka), linger_ms=0)
    await producer.start()
    try:
        await asyncio.sleep(2.0)  # the worker and the reader join
        start = time.time()
        for i, due in enumerate(start + np.cumsum(gaps)):
            if (wait := due - time.time()) > 0:
                await asyncio.sleep(wait)
            value = json.dumps(
                {
                    "review_id": f"r{i}",
                    "text": f"{texts[i % len(texts)]} {first + i}",
                    "metadata": {_SENT: repr(float(due))},
                },
                ensure_ascii=False,
            )
            await producer.send(settings.topic_names.incoming, value.encode(), f"r{i}".encode())
        await producer.flush()
    finally:
        await producer.stop()
    return start


async def _read(settings: Settings, count: int) -> list[tuple[float, float]]:
    """Read outputs until all are there: pairs of scheduled and received time."""
    topics: TopicNames = settings.topic_names
    consumer = AIOKafkaConsumer(
        *topics.categories,
        topics.relabel,
        **connection_options(settings.kafka),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=10,
    )
    await consumer.start()
    pairs: list[tuple[float, float]] = []
    try:
        while len(pairs) < count:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                now = time.time()
                pairs += [(_scheduled(record.value), now) for record in records]
    finally:
        await consumer.stop()
    return pairs


def _scheduled(value: bytes) -> float:
    return float(json.loads(value)["review"]["metadata"][_SENT])
