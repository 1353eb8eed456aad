"""Reading a topic's committed records to where it ends now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

_POLL_MS: Final = 250


async def read_to_end(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> AsyncIterator[Any]:
    """Yield records from where a consumer stands; end when it has passed the given offsets.

    The position is asked for, not the last record's offset: transaction markers and what was
    compacted away count as passed.

    Args:
        consumer: started, assigned these partitions, reading what is committed.
        ends: offset by partition, of ``consumer.end_offsets``.
    """
    behind = set(ends)
    while behind := {tp for tp in behind if await consumer.position(tp) < ends[tp]}:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for record in records:
                yield record
