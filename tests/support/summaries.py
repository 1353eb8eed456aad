"""Batch summaries for the monitor's tests."""

from datetime import UTC, datetime

from schemas import BatchSummary, Category, CategoryCount

EPOCH = 1_700_000_400
"""A multiple of every window that the tests use, seconds since 1970."""


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def summary(
    event_time,
    *,
    published=8,
    relabelled=2,
    dead=0,
    category=Category("clothing"),
    confidence=0.9,
    model="m1",
    worker="w1",
    processed_at=None,
    tokens=100,
    unknown=1,
    first_stage=0,
):
    classified = published + relabelled
    histogram = [0] * 20
    histogram[min(int(confidence * 20), 19)] = classified
    return BatchSummary(
        worker=worker,
        model_version=model,
        source_topic="reviews.incoming",
        source_partition=0,
        first_offset=0,
        last_offset=classified + dead,
        reviews=classified + dead,
        published=published,
        relabelled=relabelled,
        dead=dead,
        cache_hits=1,
        first_stage=first_stage,
        categories={
            category: CategoryCount(
                published=published,
                relabelled=relabelled,
                confidence_sum=confidence * classified,
                published_confidence=confidence * published,
            )
        },
        confidence_histogram=histogram,
        tokens=tokens,
        unknown_tokens=unknown,
        queue_seconds=0.01,
        tokenize_seconds=0.002,
        inference_seconds=0.02,
        first_event_at=at(event_time - 1),
        last_event_at=at(event_time),
        processed_at=at(event_time + 0.5 if processed_at is None else processed_at),
    )
