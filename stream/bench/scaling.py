"""More workers: inference is an emulated accelerator, so that the cores of this machine suffice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from stream.bench.cluster import drained, fill, fresh_settings, workers
from stream.bench.report import Figure, Report
from stream.settings import Settings

WORKERS: Final = (1, 2, 4)
# 100 ms for a micro-batch of at most 64 reviews: 640 reviews/s a worker, far below the plumbing's
# ceiling, so that what is measured is whether workers get in each other's way.
ACCELERATOR_SECONDS: Final = 0.1
_BATCH_ROWS: Final = 64
_REVIEWS_PER_WORKER: Final = 6000


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


def _measure(base: Settings, texts: Sequence[str], count: int) -> float:
    settings = fresh_settings(base, 8, worker={"batch_rows": _BATCH_ROWS}, cache={"url": None})
    reviews = count * _REVIEWS_PER_WORKER

    async def measure() -> float:
        await fill(settings, texts, reviews)
        with workers(settings, count, ACCELERATOR_SECONDS):
            return await drained(settings, reviews)

    return asyncio.run(measure())
