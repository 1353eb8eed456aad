"""Reading a group's committed offset, so that "cannot say now" is never taken for "nothing yet".

Since version 2 the reply to OffsetFetch carries a group's error in a field of its own, next to an
empty list of partitions (KIP-88). aiokafka 0.14 reads the list alone: while a group's coordinator
moves to another broker, its ``committed()`` answers None, as for a group that has never committed,
and whoever trusts that begins at the start of the topic. (pykafka #958 is the same mistake; our
fault suite found this one, when one broker of three was killed.)
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

_BACKOFF_SECONDS: Final = 0.1
_NOTHING: Final = -1


async def committed_offset(
    consumer: AIOKafkaConsumer, group: str, tp: TopicPartition
) -> int | None:
    """Return what the group has committed for a partition; None if it never has.

    It asks until the group's coordinator can answer.

    Args:
        consumer: a started member of the group.
        group: the group's name.
        tp: the partition.

    Raises:
        KafkaError: the broker refuses, and asking again would not help.
    """
    coordinator: Any = consumer._coordinator  # noqa: SLF001 - there is no public way to ask
    while True:
        await coordinator.ensure_coordinator_known()
        try:
            request = OffsetFetchRequest(group, [(tp.topic, [tp.partition])])
            return offset_in(await coordinator._send_req(request), tp)  # noqa: SLF001 - likewise
        except KafkaError as error:
            if not error.retriable:
                raise
        # Whatever it was, the coordinator may be another one by now.
        coordinator.coordinator_dead()
        await asyncio.sleep(_BACKOFF_SECONDS)


def offset_in(reply: Any, tp: TopicPartition) -> int | None:
    """Return the offset that a reply to OffsetFetch gives for a partition; None for none yet.

    Raises:
        KafkaError: the reply says so, or says nothing of the partition.
    """
    _raise_for(getattr(reply, "error_code", 0))
    for topic, partitions in reply.topics:
        for partition, offset, _metadata, code in partitions:
            if (topic, partition) == (tp.topic, tp.partition):
                _raise_for(code)
                return None if offset == _NOTHING else int(offset)
    raise KafkaError(f"the reply says nothing of {tp.topic}[{tp.partition}]")


def _raise_for(code: int) -> None:
    if code:
        error: KafkaError = for_code(code)()
        raise error
