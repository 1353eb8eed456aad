"""After the demo: the same pipeline goes on, slowly, before the monitor's live page."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from schemas import Review
from stream.clients import ReviewProducer
from stream.demo.run import worker_environment
from stream.demo.worker_process import WorkerProcess
from stream.monitor.service import Monitor
from stream.settings import Settings

# Slow enough to watch single reviews arrive, fast enough that every chart moves in the first minute.
_PAUSE_SECONDS: Final = 0.25


async def go_on(
    settings: Settings,
    folder: Path,
    reviews: Sequence[Review],
    on_link: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Serve the page, and send the demo's reviews round and round, until ``stop`` is set.

    Args:
        settings: those of the demo's run.
        folder: where the worker's log goes.
        reviews: what is sent.
        on_link: called with a link that opens the page once.
        stop: ends it.

    Raises:
        ReviewsError: the worker or the monitor cannot run.
    """
    async with WorkerProcess(worker_environment(settings), folder / "worker.log"):
        trickle = asyncio.create_task(_trickle(settings, reviews), name="trickle")
        try:
            await Monitor(settings, on_link).run(stop)
        finally:
            trickle.cancel()
            await asyncio.gather(trickle, return_exceptions=True)


async def _trickle(settings: Settings, reviews: Sequence[Review]) -> None:
    async with ReviewProducer(settings, source="/reviews-demo") as producer:
        for review in _endlessly(reviews):
            await producer.send(review)
            await asyncio.sleep(_PAUSE_SECONDS)


def _endlessly(reviews: Sequence[Review]) -> Iterator[Review]:
    """Yield reviews in ever new orders, each time under ids of their own."""
    turn = 0
    while reviews:
        turn += 1
        order = random.Random(turn).sample(reviews, len(reviews))  # noqa: S311 - an order, no secret
        for review in order:
            # Ids may have 200 characters; what is added must fit.
            yield review.model_copy(update={"review_id": f"{review.review_id[:180]}.{turn}"})
