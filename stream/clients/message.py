"""One message of a topic, as it stands there."""

from __future__ import annotations

import re
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas import SourcePosition
from stream.errors import InputError
from stream.kafka.clients import uncommitted_observer
from stream.kafka.connection import start, unreachable
from stream.kafka.topics import partitions_of
from stream.settings import Settings

_POSITION: Final = re.compile(r"(?P<topic>[^\[\]@]+)\[(?P<partition>\d+)\]@(?P<offset>\d+)")
_POLL_MS: Final = 500


def position_from(said: str) -> SourcePosition:
    """Read a position as it is written everywhere here: ``reviews.incoming[2]@17``.

    Raises:
        InputError: it is none.
    """
    found = _POSITION.fullmatch(said.strip())
    if found is None:
        raise InputError(f"{said!r} is no position", "write TOPIC[PARTITION]@OFFSET")
    return SourcePosition(
        topic=found["topic"], partition=int(found["partition"]), offset=int(found["offset"])
    )


async def message_at(settings: Settings, position: SourcePosition) -> ConsumerRecord:
    """Return the message at a position, committed or not.

    Raises:
        InputError: nothing stands there (any more).
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: there is no such topic.
    """
    kafka = settings.kafka
    tp = TopicPartition(position.topic, position.partition)
    if tp not in await partitions_of(kafka, position.topic):
        raise InputError(f"{position.topic} has no partition {position.partition}", "see topics")
    consumer = uncommitted_observer(kafka)
    await start(consumer, kafka)
    try:
        return await _read(consumer, tp, position)
    except KafkaError as error:
        raise unreachable(kafka, error) from None
    finally:
        await consumer.stop()


async def _read(consumer: Any, tp: TopicPartition, position: SourcePosition) -> ConsumerRecord:
    consumer.assign([tp])
    first = (await consumer.beginning_offsets([tp]))[tp]
    end = (await consumer.end_offsets([tp]))[tp]
    if not first <= position.offset < end:
        raise InputError(
            f"nothing stands at {position}", f"the partition holds offsets {first:,} to {end - 1:,}"
        )
    consumer.seek(tp, position.offset)
    while await consumer.position(tp) <= position.offset:
        for records in (await consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=1)).values():
            if records and records[0].offset == position.offset:
                return records[0]
            raise InputError(
                f"no message stands at {position}", "it was compacted away, or ends a transaction"
            )
    raise InputError(f"no message stands at {position}", "it ends a transaction")
