"""Reading ``reviews.models``: what was announced last for each role."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Final, get_args

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from schemas import ModelAnnouncement
from stream.kafka.connection import connection_options
from stream.kafka.read_to_end import read_to_end
from stream.kafka.reading import BoundedConsumer
from stream.settings import Settings

ROLES: Final[tuple[str, ...]] = get_args(ModelAnnouncement.model_fields["role"].annotation)


@contextlib.asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
    """Yield a consumer at the topic's beginning, and the topic's only partition.

    Raises:
        UnknownTopicOrPartitionError: there is no such topic.
        KafkaError: the broker does not answer, or refuses us.
    """
    tp = TopicPartition(settings.topic_names.models, 0)
    consumer = BoundedConsumer(
        **connection_options(settings.kafka),
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        if tp.topic not in await consumer.topics():
            raise UnknownTopicOrPartitionError(tp.topic)
        consumer.assign([tp])
        consumer.seek(tp, (await consumer.beginning_offsets([tp]))[tp])
        yield consumer, tp
    finally:
        with contextlib.suppress(KafkaError):
            await consumer.stop()


async def last_of_each_role(
    consumer: AIOKafkaConsumer, tp: TopicPartition, most: int = 1
) -> Mapping[bytes, deque[ConsumerRecord]]:
    """Read to where the topic ends now.

    Args:
        consumer: of :func:`reading`.
        tp: likewise.
        most: records that are kept of each role.

    Returns:
        The last records by key, in their order; those without a role's key are left out.
    """
    found: dict[bytes, deque[ConsumerRecord]] = {
        role.encode(): deque(maxlen=most) for role in ROLES
    }
    ends = await consumer.end_offsets([tp])
    async for record in read_to_end(consumer, ends):
        if record.key in found:
            found[record.key].append(record)
    return found
