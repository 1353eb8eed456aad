"""Reading ``reviews.models``: what was announced last for each role."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Final, get_args

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas import ModelAnnouncement
from stream.kafka.read_to_end import read_to_end
from stream.kafka.whole_topic import reading_whole
from stream.settings import Settings

LOOK_BACK: Final = 5
"""So many of the last announcements of a role are tried at a start, where the later ones are refused."""
ROLES: Final[tuple[str, ...]] = get_args(ModelAnnouncement.model_fields["role"].annotation)


@contextlib.asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
    """Yield a consumer at the topic's beginning, and the topic's only partition.

    Raises:
        UnknownTopicOrPartitionError: there is no such topic.
        BrokerError, KafkaError: the broker does not answer, or refuses us.
    """
    async with reading_whole(settings.kafka, settings.topic_names.models) as found:
        yield found


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
