"""Kafka to Kafka with transactions and Redis, against the model alone and against no model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from stream.bench.cluster import (
    FIRST_NUMBER,
    WorkerUsage,
    drained,
    fill,
    fresh_settings,
    publish,
    workers,
)
from stream.bench.report import Figure, Report
from stream.classifier import Classifier
from stream.settings import Settings
from stream.text import normalize

MODEL_ALONE: Final = "model alone"
# A round of the real model takes about ten seconds, of the free one as well.
_REAL_REVIEWS: Final = 20_000
_FREE_REVIEWS: Final = 100_000
_ALONE_REVIEWS: Final = 4096
_BATCH: Final = 512


def bench_pipeline(settings: Settings, texts: Sequence[str], rounds: int = 3) -> Report:
    """Measure the saturated pipeline in interleaved rounds.

    Args:
        settings: connection and model; topics and group are made anew for every round.
        texts: real reviews.
        rounds: how often everything is measured.
    """
    alone = Figure(MODEL_ALONE, "reviews/s")
    whole = Figure("pipeline", "reviews/s", note="transactions, Redis, one worker")
    free = Figure("pipeline, free model", "reviews/s", note="ceiling of the plumbing")
    cached = Figure("pipeline, all in cache", "reviews/s")
    usage: list[WorkerUsage] = []
    for _ in range(rounds):
        alone.rounds.append(_model_alone(settings, texts))
        whole.rounds.append(_saturated(settings, texts, _REAL_REVIEWS, None, usage))
        free.rounds.append(_saturated(_without_cache(settings), texts, _FREE_REVIEWS, 0.0, []))
        cached.rounds.append(_all_cached(settings, texts))
    report = Report("Pipeline", MODEL_ALONE, [alone, whole, free, cached])
    report.facts["pipeline_stage_seconds"] = usage[-1].stages if usage else {}
    report.facts["worker_memory_bytes"] = max((u.memory_bytes for u in usage), default=0)
    report.facts["worker_start_seconds"] = max((u.started_seconds for u in usage), default=0)
    return report


def _model_alone(settings: Settings, texts: Sequence[str]) -> float:
    model = settings.model
    classifier = Classifier.load(model.folder, model.device, model.threads, model.chunk_tokens)
    sample = [
        normalize(f"{texts[i % len(texts)]} {FIRST_NUMBER + i}") for i in range(_ALONE_REVIEWS)
    ]
    started = time.perf_counter()
    for i in range(0, len(sample), _BATCH):
        classifier.classify(sample[i : i + _BATCH])
    return len(sample) / (time.perf_counter() - started)


def _saturated(
    base: Settings,
    texts: Sequence[str],
    count: int,
    seconds: float | None,
    usage: list[WorkerUsage],
) -> float:
    """Reviews a second from first to last commit of a backlog, one worker."""
    settings = fresh_settings(base)

    async def measure() -> float:
        await fill(settings, texts, count)
        with workers(settings, 1, seconds) as used:
            rate = await drained(settings, count)
        usage.extend(used)
        return rate

    return asyncio.run(measure())


def _all_cached(base: Settings, texts: Sequence[str]) -> float:
    """Like :func:`_saturated` for texts that are all in Redis already."""
    distinct = list(dict.fromkeys(texts))[:2000]
    count = 40 * len(distinct)
    # Loaded cores answer late; the question here is speed, not fail-over.
    settings = fresh_settings(base, cache={"timeout": 2.0})

    async def measure() -> float:
        await fill(settings, distinct, 0)
        await publish(settings, distinct)
        with workers(settings, 1, None):
            await drained(settings, len(distinct))
            await asyncio.sleep(1.0)  # the last answers are stored after their commit
        again = fresh_settings(base, cache={"timeout": 2.0})
        await fill(again, distinct, 0)
        await publish(again, distinct * 40)
        with workers(again, 1, None):
            return await drained(again, count)

    return asyncio.run(measure())


def _without_cache(settings: Settings) -> Settings:
    return settings.model_copy(update={"cache": settings.cache.model_copy(update={"url": None})})
