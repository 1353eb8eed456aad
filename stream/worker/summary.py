"""The summary of one lane's part of a micro-batch, published in its own transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from schemas import CONFIDENCE_BINS, BatchSummary, Category, CategoryCount, all_categories
from stream.kafka.reading import moment_of
from stream.worker.input_event import Work


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a micro-batch spent where, seconds."""

    started: float = 0.0
    """When classification began, monotonic clock."""
    tokenize: float = 0.0
    inference: float = 0.0


def summarize(
    works: Sequence[Work],
    worker: str,
    model_version: str,
    timings: Timings,
    refused_model: str | None = None,
) -> BatchSummary:
    """Sum up finished work of one lane; ``works`` is not empty and in offset order."""
    published: Counter[Category] = Counter()
    relabelled: Counter[Category] = Counter()
    confidence: defaultdict[Category, float] = defaultdict(float)
    histogram = [0] * CONFIDENCE_BINS
    for work in works:
        if work.prediction is None or work.rejection is not None:
            continue
        category = all_categories()[work.best]
        (published if work.sure else relabelled)[category] += 1
        confidence[category] += work.confidence
        histogram[min(int(work.confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)] += 1
    first, last = works[0], works[-1]
    timestamps = [work.record.timestamp for work in works]
    waited = sum(max(timings.started - work.arrived, 0.0) for work in works)
    return BatchSummary(
        worker=worker,
        model_version=model_version,
        refused_model=refused_model,
        source_topic=first.source.topic,
        source_partition=first.source.partition,
        first_offset=first.first_offset,
        last_offset=last.record.offset,
        reviews=len(works),
        published=published.total(),
        relabelled=relabelled.total(),
        dead=sum(work.rejection is not None for work in works),
        deleted=sum(work.deleted for work in works),
        strange=sum(work.strange is not None for work in works),
        unread_dates=sum(work.unread_date for work in works),
        audited=sum(work.audited for work in works),
        cache_hits=sum(work.cached for work in works),
        categories={
            category: CategoryCount(
                published=published[category],
                relabelled=relabelled[category],
                confidence_sum=confidence[category],
            )
            for category in confidence
        },
        confidence_histogram=histogram,
        tokens=sum(work.prediction.tokens for work in works if work.prediction),
        unknown_tokens=sum(work.prediction.unknown for work in works if work.prediction),
        queue_seconds=waited / len(works),
        tokenize_seconds=timings.tokenize,
        inference_seconds=timings.inference,
        first_event_at=moment_of(min(timestamps)),
        last_event_at=moment_of(max(timestamps)),
    )
