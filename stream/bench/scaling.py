"""More workers, more partitions, and a long backlog.

Inference is an emulated accelerator or costs nothing, so that the cores of this machine suffice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from stream.bench.cluster import (
    Drained,
    OpenPartitions,
    WorkerUsage,
    drained,
    fresh_topics,
    numbered,
    publish,
    workers,
)
from stream.bench.report import BenchmarkReport, Figure
from stream.containers import available_cores
from stream.settings import Settings

WORKERS: Final = (1, 2, 4)
# 100 ms for a micro-batch of at most 192 reviews: 1,920 reviews/s a worker. Four of them cost this
# machine's cores about half of their time, so that what is measured is whether workers get in each
# other's way, and not whether there are cores enough.
ACCELERATOR_SECONDS: Final = 0.1
_BATCH_ROWS: Final = 192
_SCALING_PARTITIONS: Final = 8
# Work for 22 seconds, and for as long as publishing it takes.
_REVIEWS_PER_WORKER: Final = 42_000
PARTITIONS: Final = (4, 16, 64)
_FREE_REVIEWS: Final = 200_000


def bench_scaling(settings: Settings, texts: Sequence[str], rounds: int = 3) -> BenchmarkReport:
    """Measure reviews a second with 1, 2 and 4 workers; 8 partitions, one group.

    The clock starts once every worker has its share of the partitions open and all input is there.
    """
    figures = {n: Figure(f"{n} worker{'s' * (n > 1)}", "reviews/s") for n in WORKERS}
    report = BenchmarkReport("Scaling", "1 worker", list(figures.values()))
    for _ in range(rounds):
        for count, figure in figures.items():
            found, usage = asyncio.run(_scaled(settings, texts, count))
            figure.rounds.append(found.rate)
            report.facts[f"{count}_workers"] = _cost(found, usage)
    for count, figure in figures.items():
        busy = report.facts[f"{count}_workers"]["cores_busy"]
        figure.note = f"efficiency {report.ratio(figure) / count:.0%}, cores busy {busy:.0%}"
    return report


async def _scaled(
    base: Settings, texts: Sequence[str], count: int
) -> tuple[Drained, list[WorkerUsage]]:
    reviews = _REVIEWS_PER_WORKER * count
    opened = OpenPartitions(count)
    sections: dict[str, dict[str, Any]] = {
        "worker": {"batch_rows": _BATCH_ROWS},
        "cache": {"url": None},
    }
    async with fresh_topics(base, _SCALING_PARTITIONS, **sections) as settings:
        with workers(settings, count, ACCELERATOR_SECONDS, opened) as used:
            await opened.spread_over(_SCALING_PARTITIONS)
            await publish(settings, numbered(texts, reviews))
            found = await drained(settings, reviews)
    return found, used


def _cost(found: Drained, usage: Sequence[WorkerUsage]) -> dict[str, Any]:
    """Return what a measurement took beside time."""
    return {
        "cpu_us_per_review": found.cpu_us,
        "cores_busy": sum(found.cpu_us.values()) * found.rate / 1e6 / available_cores(),
        "seconds": found.seconds,
        "reviews_a_batch": [u.batch_rows for u in usage],
        "worker_memory_bytes": [u.memory_bytes for u in usage],
        "worker_start_seconds": [u.started_seconds for u in usage],
    }


def bench_partitions(settings: Settings, texts: Sequence[str], rounds: int = 3) -> BenchmarkReport:
    """Measure reviews a second of one worker with the free model, by number of partitions."""
    figures = {n: Figure(f"{n} partitions", "reviews/s") for n in PARTITIONS}
    report = BenchmarkReport("Partitions", f"{PARTITIONS[0]} partitions", list(figures.values()))
    # A broker just started compiles its code (Java) on the cores that we measure.
    asyncio.run(_drain(settings, texts, _FREE_REVIEWS))
    for _ in range(rounds):
        for count, figure in figures.items():
            found, usage = asyncio.run(_drain(settings, texts, _FREE_REVIEWS, count))
            figure.rounds.append(found.rate)
            report.facts[f"{count}_partitions"] = _cost(found, usage)
    return report


def bench_backlog(settings: Settings, texts: Sequence[str], reviews: int) -> BenchmarkReport:
    """Measure one worker with the free model on a long backlog, and a tenth of it for comparison."""
    short, long = (Figure(f"backlog of {n:,}", "reviews/s") for n in (reviews // 10, reviews))
    report = BenchmarkReport("Backlog", short.name, [short, long])
    asyncio.run(_drain(settings, texts, _FREE_REVIEWS))
    for figure, count in ((short, reviews // 10), (long, reviews)):
        found, usage = asyncio.run(_drain(settings, texts, count))
        figure.rounds.append(found.rate)
        report.facts[f"backlog_of_{count}"] = _cost(found, usage)
    return report


async def _drain(
    base: Settings, texts: Sequence[str], reviews: int, partitions: int = 4
) -> tuple[Drained, list[WorkerUsage]]:
    """Let one worker with the free model, and no cache, work off a backlog.

    The clock starts once all partitions are open; what was committed until then is not counted.
    """
    opened = OpenPartitions(1)
    async with fresh_topics(base, partitions, cache={"url": None}) as settings:
        await publish(settings, numbered(texts, reviews))
        with workers(settings, 1, 0.0, opened) as used:
            await opened.spread_over(partitions)  # opening them is no part of what a review costs
            found = await drained(settings, reviews)
    return found, used
