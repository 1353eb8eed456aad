"""What holds for each review among all that was ever said of it, and waiting for more of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from aiokafka.errors import KafkaError

from schemas import Label, highest
from stream.kafka.connection import unreachable
from stream.kafka.topics import partitions_of
from stream.queue.label_topic import ReadLabels, consumer_of
from stream.settings import Settings

_SUPERSEDED, _WITHDRAWN, _CANNOT_TELL = "superseded", "withdrawn", "cannot-tell"
_POLL_MS: Final = 500


def standing(labels: Iterable[Label]) -> tuple[list[Label], dict[str, int]]:
    """Return the label that holds for each review, and how many were left out and why.

    Which one holds: see :mod:`schemas.standing`. The order in which the labels come does not matter.
    """
    said = list(labels)
    found = highest(said)
    counts = Counter(_why_dropped(label, found[label.review_id]) for label in said)
    dropped = {reason: counts[reason] for reason in (_SUPERSEDED, _WITHDRAWN, _CANNOT_TELL)}
    kept = [label for label in found.values() if label.category is not None and not label.withdrawn]
    return sorted(kept, key=lambda label: label.review_id), dropped


def _why_dropped(label: Label, holds: Label) -> str:
    """Return why a label teaches nothing; empty if it does, or is itself a withdrawal that holds."""
    if holds.withdrawn:
        return _WITHDRAWN if label is not holds else ""
    if label is not holds:
        return _SUPERSEDED
    return _CANNOT_TELL if label.category is None else ""


async def wait_for_labels(
    settings: Settings,
    since: dict[int, int],
    at_least: int,
    on_unreadable: Callable[[int], object] = lambda _: None,
) -> int:
    """Wait until enough reviews were decided after a position, and return how many.

    Args:
        settings: connection and topics.
        since: next offset by partition, as a training recorded it; absent partitions count whole.
        at_least: reviews with a category, each counted once.
        on_unreadable: called with how many messages could not be read so far, when it grows.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: there is no topic of labels.
    """
    kafka = settings.kafka
    partitions = await partitions_of(kafka, settings.topic_names.labels)
    consumer = await consumer_of(settings, partitions)
    decided: set[str] = set()
    news = ReadLabels()
    try:
        begins = await consumer.beginning_offsets(partitions)
        for tp in partitions:
            consumer.seek(tp, max(since.get(tp.partition, 0), begins[tp]))
        while len(decided) < at_least:
            before = news.unreadable
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    label = news.take(record)
                    if label is None:
                        continue
                    if label.category is not None and not label.withdrawn:
                        decided.add(label.review_id)
                    else:
                        decided.discard(label.review_id)
            if news.unreadable > before:
                on_unreadable(news.unreadable)
    except (KafkaError, OSError) as error:
        raise unreachable(kafka, error) from None
    finally:
        await consumer.stop()
    return len(decided)
