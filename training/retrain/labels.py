"""Reading ``reviews.labels``, and what holds for each review among all that was ever said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas import ContractError, Label, decode, highest
from stream.kafka.clients import observer
from stream.kafka.connection import start, unreachable
from stream.kafka.read_to_end import read_to_end
from stream.kafka.topics import partitions_of
from stream.settings import Settings

_SUPERSEDED, _WITHDRAWN, _CANNOT_TELL = "superseded", "withdrawn", "cannot-tell"
_POLL_MS: Final = 500


@dataclass(slots=True)
class ReadLabels:
    """Everything on the topic, and how far it was read."""

    labels: list[Label] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    """Next offset by partition."""
    unreadable: int = 0

    def take(self, record: ConsumerRecord) -> Label | None:
        """Take a message in; None if it is no label of ours."""
        self.offsets[record.partition] = record.offset + 1
        if record.value is None:  # a tombstone: someone deleted this review on purpose
            self.labels = [x for x in self.labels if x.review_id.encode() != record.key]
            return None
        try:
            label = decode(Label, record.value)
        except ContractError:
            self.unreadable += 1
            return None
        self.labels.append(label)
        return label


def standing(labels: Iterable[Label]) -> tuple[list[Label], dict[str, int]]:
    """Return the label that holds for each review, and how many were left out and why.

    Which one holds: see :mod:`schemas.standing`. The order in which the labels come does not matter.
    """
    said = list(labels)
    found = highest(said)
    counts = Counter(_fate(label, found[label.review_id]) for label in said)
    dropped = {fate: counts[fate] for fate in (_SUPERSEDED, _WITHDRAWN, _CANNOT_TELL)}
    kept = [label for label in found.values() if label.category is not None and not label.withdrawn]
    return sorted(kept, key=lambda label: label.review_id), dropped


def _fate(label: Label, holds: Label) -> str:
    """Return why a label teaches nothing; empty if it does, or is itself a withdrawal that holds."""
    if holds.withdrawn:
        return _WITHDRAWN if label is not holds else ""
    if label is not holds:
        return _SUPERSEDED
    return _CANNOT_TELL if label.category is None else ""


async def read_labels(settings: Settings) -> ReadLabels:
    """Read every committed label from the beginning to where the topic ends now.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: there is no topic of labels.
    """
    kafka = settings.kafka
    partitions = await partitions_of(kafka, settings.topic_names.labels)
    found = ReadLabels()
    consumer = await _consumer(settings, partitions)
    try:
        begins = await consumer.beginning_offsets(partitions)
        # With read_committed the broker answers with the last stable offset.
        ends = await consumer.end_offsets(partitions)
        for tp in partitions:
            consumer.seek(tp, begins[tp])
        async for record in read_to_end(consumer, ends):
            found.take(record)
        for tp in partitions:
            found.offsets[tp.partition] = max(found.offsets.get(tp.partition, 0), ends[tp])
    except (KafkaError, OSError) as error:
        raise unreachable(kafka, error) from None
    finally:
        await consumer.stop()
    return found


async def wait_for_labels(settings: Settings, since: dict[int, int], at_least: int) -> int:
    """Wait until enough reviews were decided after a position, and return how many.

    Args:
        settings: connection and topics.
        since: next offset by partition, as a training recorded it; absent partitions count whole.
        at_least: reviews with a category, each counted once.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: there is no topic of labels.
    """
    kafka = settings.kafka
    partitions = await partitions_of(kafka, settings.topic_names.labels)
    consumer = await _consumer(settings, partitions)
    decided: set[str] = set()
    news = ReadLabels()
    try:
        begins = await consumer.beginning_offsets(partitions)
        for tp in partitions:
            consumer.seek(tp, max(since.get(tp.partition, 0), begins[tp]))
        while len(decided) < at_least:
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    label = news.take(record)
                    if label is None:
                        continue
                    if label.category is not None and not label.withdrawn:
                        decided.add(label.review_id)
                    else:
                        decided.discard(label.review_id)
    except (KafkaError, OSError) as error:
        raise unreachable(kafka, error) from None
    finally:
        await consumer.stop()
    return len(decided)


async def _consumer(settings: Settings, partitions: list[TopicPartition]) -> AIOKafkaConsumer:
    consumer = observer(settings.kafka)
    await start(consumer, settings.kafka)
    consumer.assign(partitions)
    return consumer
