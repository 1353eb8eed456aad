"""The summary of a partition batch, published in its transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas import CONFIDENCE_BINS, BatchSummary, Category, CategoryCount, all_categories
from stream.kafka.reading import moment_of
from stream.worker.input_event import InputEvent


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a micro-batch spent where, seconds."""

    started: float = 0.0
    """When classification began, monotonic clock."""
    tokenize: float = 0.0
    inference: float = 0.0


def summarize(
    events: Sequence[InputEvent],
    worker: str,
    model_version: str,
    timings: Timings,
    refused_model: str | None = None,
) -> BatchSummary:
    """Sum up the finished events of one partition; there is one at least, and they are in offset order."""
    published: Counter[Category] = Counter()
    relabelled: Counter[Category] = Counter()
    confidence: defaultdict[Category, float] = defaultdict(float)
    expected: defaultdict[Category, float] = defaultdict(float)
    histogram = [0] * CONFIDENCE_BINS
    for event in events:
        if event.prediction is None or event.rejection is not None:
            continue
        category = all_categories()[event.best]
        (published if event.sure else relabelled)[category] += 1
        confidence[category] += event.confidence
        if event.sure:
            expected[category] += event.confidence
        histogram[min(int(event.confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)] += 1
    first, last = events[0], events[-1]
    processed_at = datetime.now(UTC)
    # Without a timestamp (Kafka says -1) nobody knows when a review was sent.
    dated = [event.record.timestamp for event in events if event.record.timestamp >= 0]
    moments = [moment_of(timestamp) for timestamp in dated] or [processed_at]
    waited = sum(max(timings.started - event.arrived, 0.0) for event in events)
    return BatchSummary(
        worker=worker,
        model_version=model_version,
        refused_model=refused_model,
        source_topic=first.source.topic,
        source_partition=first.source.partition,
        first_offset=first.first_offset,
        last_offset=last.record.offset,
        reviews=len(events),
        published=published.total(),
        relabelled=relabelled.total(),
        dead=sum(event.rejection is not None for event in events),
        deleted=sum(event.deleted for event in events),
        strange=sum(event.strange is not None for event in events),
        held=sum(event.category_held for event in events),
        unread_dates=sum(event.unread_date for event in events),
        audited=sum(event.audited for event in events),
        cache_hits=sum(event.cached for event in events),
        first_stage=sum(event.prediction.by_first for event in events if event.prediction),
        categories={
            category: CategoryCount(
                published=published[category],
                relabelled=relabelled[category],
                confidence_sum=confidence[category],
                published_confidence=expected[category],
            )
            for category in confidence
        },
        confidence_histogram=histogram,
        tokens=sum(event.prediction.tokens for event in events if event.prediction),
        unknown_tokens=sum(event.prediction.unknown for event in events if event.prediction),
        queue_seconds=waited / len(events),
        tokenize_seconds=timings.tokenize,
        inference_seconds=timings.inference,
        first_event_at=min(moments),
        last_event_at=max(moments),
        processed_at=processed_at,
    )
