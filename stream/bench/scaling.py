"""More workers, more partitions, and a long backlog.

Inference is an emulated accelerator or costs nothing, so that the cores of this machine suffice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from stream.bench.cluster import Drained, WorkerUsage, drained, fill, fresh_settings, workers
from stream.bench.report import Figure, Report
from stream.settings import Settings

WORKERS: Final = (1, 2, 4)
# 100 ms for a micro-batch of at most 64 reviews: 640 reviews/s a worker, far below the plumbing's
# ceiling, so that what is measured is whether workers get in each other's way.
ACCELERATOR_SECONDS: Final = 0.1
_BATCH_ROWS: Final = 64
_REVIEWS_PER_WORKER: Final = 6000
PARTITIONS: Final = (4, 16, 64)
_FREE_REVIEWS: Final = 60_000


def bench_scaling(settings: Settings, texts: Sequence[str], rounds: int = 3) -> Report:
    """Measure reviews a second with 1, 2 and 4 workers; 8 partitions, one group."""
    figures = {n: Figure(f"{n} worker{'s' * (n > 1)}", "reviews/s") for n in WORKERS}
    for _ in range(rounds):
        for count, figure in figures.items():
            figure.rounds.append(_measure(settings, texts, count))
    report = Report("Scaling", "1 worker", list(figures.values()))
    for count, figure in figures.items():
        figure.note = f"efficiency {report.ratio(figure) / count:.0%}"
    return report


def bench_partitions(settings: Settings, texts: Sequence[str], rounds: int = 3) -> Report:
    """Measure reviews a second of one worker with the free model, by number of partitions."""
    figures = {n: Figure(f"{n} partitions", "reviews/s") for n in PARTITIONS}
    report = Report("Partitions", f"{PARTITIONS[0]} partitions", list(figures.values()))
    for _ in range(rounds):
        for count, figure in figures.items():
            made = fresh_settings(settings, count, cache={"url": None})
            found = asyncio.run(_drain(made, texts, _FREE_REVIEWS, 1, 0.0))
            figure.rounds.append(found.rate)
            report.facts[f"cpu_us_per_review_{count}_partitions"] = found.cpu_us
    return report


def bench_backlog(settings: Settings, texts: Sequence[str], reviews: int) -> Report:
    """Measure one worker with the free model on a long backlog, and a tenth of it for comparison."""
    short, long = (Figure(f"backlog of {n:,}", "reviews/s") for n in (reviews // 10, reviews))
    report = Report("Backlog", short.name, [short, long])
    for figure, count in ((short, reviews // 10), (long, reviews)):
        made = fresh_settings(settings, cache={"url": None})
        usage: list[WorkerUsage] = []
        figure.rounds.append(asyncio.run(_drain(made, texts, count, 1, 0.0, usage)).rate)
        report.facts[f"worker_memory_bytes_{count}"] = usage[0].memory_bytes if usage else 0
    return report


async def _drain(
    settings: Settings,
    texts: Sequence[str],
    reviews: int,
    count: int,
    seconds: float,
    usage: list[WorkerUsage] | None = None,
) -> Drained:
    await fill(settings, texts, reviews)
    with workers(settings, count, seconds) as used:
        found = await drained(settings, reviews)
    if usage is not None:
        usage += used
    return found


def _measure(base: Settings, texts: Sequence[str], count: int) -> float:
    settings = fresh_settings(base, 8, worker={"batch_rows": _BATCH_ROWS}, cache={"url": None})
    reviews = count * _REVIEWS_PER_WORKER
    return asyncio.run(_drain(settings, texts, reviews, count, ACCELERATOR_SECONDS)).rate
