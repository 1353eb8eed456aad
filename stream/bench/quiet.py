"""A worker that has little to do: how soon it serves, one review a second, and what waiting costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from stream.bench.cluster import OpenPartitions, fresh_topics, numbered, publish, workers
from stream.bench.latency import arrivals, measure_latency
from stream.bench.report import BenchmarkReport, Figure
from stream.bench.usage import cpu_seconds
from stream.settings import Settings

_RATE: Final = 1.0
# What a start leaves behind is over by then.
_SETTLED_SECONDS: Final = 3.0


def bench_quiet(
    settings: Settings, texts: Sequence[str], rounds: int = 3, seconds: float = 60
) -> BenchmarkReport:
    """Measure a cold start, an idle worker and a trickle of one review a second.

    Args:
        settings: connection and model.
        texts: real reviews.
        rounds: of all three.
        seconds: of waiting, and of the trickle, a round.
    """
    start = Figure("from a worker's start to its first decided review", "s")
    idle = Figure("processor time of an idle worker", "ms/s")
    p50, p99 = (Figure(f"{name} at one review a second", "ms") for name in ("p50", "p99"))
    for _ in range(rounds):
        began, used = asyncio.run(_start_and_wait(settings, texts, seconds))
        start.rounds.append(began)
        idle.rounds.append(used * 1000)
        found = measure_latency(settings, texts, _RATE, seconds)
        p50.rounds.append(found.p50)
        p99.rounds.append(found.p99)
    return BenchmarkReport("Quiet", p50.name, [start, idle, p50, p99], {"seconds": seconds})


async def _start_and_wait(
    base: Settings, texts: Sequence[str], seconds: float
) -> tuple[float, float]:
    """Return seconds from a process's start to the first outcome, and CPU seconds a second of waiting."""
    opened = OpenPartitions(1)
    async with fresh_topics(base) as settings:
        await publish(settings, numbered(texts, 1))
        reading = asyncio.create_task(arrivals(settings, 1))
        began = time.time()
        with workers(settings, 1, None, opened):
            (first,) = await reading
            await opened.spread_over(settings.topics.partitions)
            await asyncio.sleep(_SETTLED_SECONDS)
            before = cpu_seconds().get("workers", 0.0)
            await asyncio.sleep(seconds)
            used = cpu_seconds().get("workers", 0.0) - before
    return float(first) - began, used / seconds
