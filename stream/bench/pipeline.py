"""Kafka to Kafka with transactions and Redis, against the model alone and against no model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from stream.bench.cluster import (
    FIRST_NUMBER,
    Drained,
    WorkerUsage,
    drained,
    fresh_topics,
    numbered,
    publish,
    workers,
)
from stream.bench.report import BenchmarkReport, Figure
from stream.containers import available_cores
from stream.model.classifier import Classifier
from stream.settings import Settings
from stream.text import normalize

MODEL_ALONE: Final = "model alone"
# A round of the real model takes about ten seconds, of the free one as well.
_REAL_REVIEWS: Final = 20_000
_FREE_REVIEWS: Final = 100_000
_WARMING_REVIEWS: Final = 40_000
_ALONE_REVIEWS: Final = 8192
_BATCH: Final = 512


def bench_pipeline(settings: Settings, texts: Sequence[str], rounds: int = 3) -> BenchmarkReport:
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
    drains: list[Drained] = []
    # A broker just started compiles its code (Java) on the cores that we measure.
    _saturated(_without_cache(settings), texts, _WARMING_REVIEWS, 0.0, [])
    for _ in range(rounds):
        alone.rounds.append(model_alone(settings, texts))
        drains.append(_saturated(settings, texts, _REAL_REVIEWS, None, usage))
        whole.rounds.append(drains[-1].rate)
        bare = _without_cache(settings)
        free.rounds.append(_saturated(bare, texts, _FREE_REVIEWS, 0.0, []).rate)
        cached.rounds.append(_all_cached(settings, texts))
    report = BenchmarkReport("Pipeline", MODEL_ALONE, [alone, whole, free, cached])
    report.facts["stage_ms_a_batch"] = usage[-1].stages if usage else {}
    report.facts["worker_memory_bytes"] = max((u.memory_bytes for u in usage), default=0)
    report.facts["worker_start_seconds"] = max((u.started_seconds for u in usage), default=0)
    report.facts |= _bound(drains, alone.median)
    return report


def _bound(drains: Sequence[Drained], alone: float) -> dict[str, Any]:
    """Return the CPU time of a review, and the share of the model alone that it leaves room for.

    The bound is what all processes together would reach if no core were ever idle.
    """
    kinds = drains[0].cpu_us if drains else {}
    cpu_us = {kind: median(d.cpu_us.get(kind, 0.0) for d in drains) for kind in kinds}
    total = sum(cpu_us.values())
    bound = available_cores() * 1e6 / total / alone if total and alone else 0.0
    return {"cpu_us_per_review": cpu_us, "share_if_no_core_were_idle": bound}


def model_alone(settings: Settings, texts: Sequence[str]) -> float:
    """Return the reviews a second of the model by itself, word pieces included."""
    model = settings.model
    classifier = Classifier.load(model.folder, model.device, model.threads, model.chunk_tokens)
    sample = [
        normalize(f"{texts[i % len(texts)]} {FIRST_NUMBER + i}") for i in range(_ALONE_REVIEWS)
    ]
    classifier.classify(sample[:_BATCH])  # memory is allocated in the first call
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
) -> Drained:
    """Work off a backlog with one worker."""

    async def measure() -> Drained:
        async with fresh_topics(base) as settings:
            await publish(settings, numbered(texts, count))
            with workers(settings, 1, seconds) as used:
                found = await drained(settings, count)
        usage.extend(used)
        return found

    return asyncio.run(measure())


def _all_cached(base: Settings, texts: Sequence[str]) -> float:
    """Like :func:`_saturated` for texts that are all in Redis already."""
    distinct = list(dict.fromkeys(texts))[:2000]
    count = 40 * len(distinct)
    # Loaded cores answer late; the question here is speed, not fail-over.
    patient = {"timeout": 2.0}

    async def measure() -> float:
        async with fresh_topics(base, cache=patient) as settings:
            await publish(settings, distinct)
            with workers(settings, 1, None):
                await drained(settings, len(distinct))
                await asyncio.sleep(1.0)  # the last answers are stored after their commit
        async with fresh_topics(base, cache=patient) as settings:
            await publish(settings, distinct * 40)
            with workers(settings, 1, None):
                return (await drained(settings, count)).rate

    return asyncio.run(measure())


def _without_cache(settings: Settings) -> Settings:
    return settings.model_copy(update={"cache": settings.cache.model_copy(update={"url": None})})
