"""Reading a topic's committed records to where it ends now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from stream.kafka.clients import observer
from stream.kafka.connection import start, unreachable
from stream.settings import KafkaSettings

_POLL_MS: Final = 250
_LOOK_AGAIN_SECONDS: Final = 0.1


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


async def settled(
    consumer: AIOKafkaConsumer, written: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> None:
    """Wait until all that stands in partitions now is decided: behind an open transaction nothing is read.

    Bounded by the caller.

    Args:
        consumer: started, reading what is committed.
        written: started, of :func:`stream.kafka.clients.offset_observer`.
        partitions: which.
    """
    ends = await written.end_offsets(partitions)
    # The broker tells nobody: it must be asked.
    while not await _decided(consumer, ends):  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _decided(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    decided = await consumer.end_offsets(list(ends))
    return all(decided[tp] >= end for tp, end in ends.items())


async def records_of(
    kafka: KafkaSettings, partitions: Sequence[TopicPartition], newest: int | None = None
) -> AsyncGenerator[ConsumerRecord]:
    """Yield the committed records of partitions, from where they begin to where they end now.

    Args:
        kafka: connection.
        partitions: what is read.
        newest: how many of each partition, counted from its end; all unless given.

    Raises:
        BrokerError: no broker answers, or it refuses us.
    """
    consumer = observer(kafka)
    await start(consumer, kafka)
    try:
        consumer.assign(partitions)
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        for tp in partitions:
            begin = begins[tp] if newest is None else max(begins[tp], ends[tp] - newest)
            consumer.seek(tp, begin)
        async for record in read_to_end(consumer, ends):
            yield record
    except (KafkaError, OSError) as error:
        raise unreachable(kafka, error) from None
    finally:
        await consumer.stop()
