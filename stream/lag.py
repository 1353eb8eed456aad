"""How far the workers are behind."""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from stream.kafka import connection_options, start, unreachable
from stream.settings import Settings
from stream.topics_admin import partitions_of


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One input partition as the worker group stands to it."""

    partition: int
    end: int
    """Last stable offset: what a read_committed reader may see."""
    committed: int | None
    """The group's position; None: it never committed here."""
    first: int

    @property
    def lag(self) -> int:
        """Events that are not yet answered. Transaction markers of producers count too."""
        return max(self.end - (self.first if self.committed is None else self.committed), 0)


async def worker_lag(settings: Settings) -> list[PartitionLag]:
    """Return the worker group's lag on the incoming topic, by partition.

    Raises:
        BrokerError: Kafka cannot be reached or refuses us.
        TopicMissing: the incoming topic does not exist.
    """
    partitions = await partitions_of(settings.kafka, settings.topic_names.incoming)
    consumer = AIOKafkaConsumer(
        **connection_options(settings.kafka),
        group_id=settings.worker.group,
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    await start(consumer, settings.kafka)
    try:
        # Assigned by hand: looking must not join the group and take partitions from a worker.
        consumer.assign(partitions)
        first = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        return [
            PartitionLag(tp.partition, ends[tp], await consumer.committed(tp), first[tp])
            for tp in partitions
        ]
    except KafkaError as error:
        raise unreachable(settings.kafka, error) from None
    finally:
        await consumer.stop()
