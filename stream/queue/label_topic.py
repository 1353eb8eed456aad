"""Reading ``reviews.labels``: everything that was ever said of reviews and not taken back by erasing it."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas import ContractError, Label, decode
from stream.kafka.clients import observer
from stream.kafka.connection import start, unreachable
from stream.kafka.read_to_end import read_to_end
from stream.kafka.topics import partitions_of
from stream.settings import Settings


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


async def read_labels(settings: Settings) -> ReadLabels:
    """Read every committed label from the beginning to where the topic ends now.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: there is no topic of labels.
    """
    kafka = settings.kafka
    partitions = await partitions_of(kafka, settings.topic_names.labels)
    found = ReadLabels()
    consumer = await consumer_of(settings, partitions)
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


async def consumer_of(settings: Settings, partitions: list[TopicPartition]) -> AIOKafkaConsumer:
    """Return a consumer of these partitions, started."""
    consumer = observer(settings.kafka)
    await start(consumer, settings.kafka)
    consumer.assign(partitions)
    return consumer
