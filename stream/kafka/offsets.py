"""Reading a group's committed offset, so that "cannot say now" is never taken for "nothing yet".

Since version 2 the reply to OffsetFetch carries a group's error in a field of its own, next to an
empty list of partitions (KIP-88). aiokafka 0.14 reads the list alone: while a group's coordinator
moves to another broker, its ``committed()`` answers None, as for a group that has never committed,
and whoever trusts that begins at the start of the topic. (pykafka #958 is the same mistake; our
fault suite found this one, when one broker of three was killed.)

Since version 7 it can be asked whether an offset is still part of a transaction that has not ended
(``require_stable``, KIP-447), which aiokafka does not ask: the request is defined here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchRequest_v3
from aiokafka.protocol.types import Boolean, Int16, Int32, Int64

from stream.kafka.by_topic import by_topic
from stream.kafka.flexible import NO_TAGS, STRING, groups, message, partitions_by_topic, raise_for
from stream.kafka.private import ask_coordinator, coordinator_of
from stream.kafka.replies import MalformedReply, taking_apart

_BACKOFF_SECONDS: Final = 0.1
_NOTHING: Final = -1
_UNSTABLE_OFFSET_COMMIT: Final = 88


class OffsetPending(KafkaError):  # type: ignore[misc]  # aiokafka ships no types
    """The partition's offset is part of a transaction that its group has not seen the end of."""

    retriable = True


async def committed_offset(
    consumer: AIOKafkaConsumer, group: str, tp: TopicPartition, *, settled: bool = False
) -> int | None:
    """Return what the group has committed for a partition; None if it never has.

    It asks until the group's coordinator can answer.

    Args:
        consumer: a started member of the group.
        group: the group's name.
        tp: the partition.
        settled: whether an offset that an open transaction is about to replace is an error.

    Raises:
        OffsetPending: it is not settled.
        KafkaError: the broker refuses, and asking again would not help.
    """
    return (await committed_offsets(consumer, group, [tp], settled=settled))[tp]


async def committed_offsets(
    consumer: AIOKafkaConsumer,
    group: str,
    partitions: Sequence[TopicPartition],
    *,
    settled: bool = False,
) -> dict[TopicPartition, int | None]:
    """Return what the group has committed for some partitions; see :func:`committed_offset`."""
    found = await _committed(consumer, group, partitions, settled=settled)
    return {tp: offset for tp, (offset, _note) in found.items()}


async def committed_note(consumer: AIOKafkaConsumer, group: str, tp: TopicPartition) -> str:
    """Return what was kept with the offset that the group has committed; empty: nothing was.

    Raises:
        KafkaError: as :func:`committed_offset`.
    """
    _offset, note = (await _committed(consumer, group, [tp], settled=False))[tp]
    return note


async def _committed(
    consumer: AIOKafkaConsumer,
    group: str,
    partitions: Sequence[TopicPartition],
    *,
    settled: bool,
) -> dict[TopicPartition, tuple[int | None, str]]:
    topics = by_topic((tp, tp.partition) for tp in partitions)
    coordinator = coordinator_of(consumer)
    build = SettledOffsetFetch if settled else OffsetFetchRequest
    while True:
        await coordinator.ensure_coordinator_known()
        try:
            request = build(group, list(topics.items()))
            reply = await ask_coordinator(coordinator, request)
            with taking_apart(reply):
                return {tp: (offset_in(reply, tp), _note_in(reply, tp)) for tp in partitions}
        except OffsetPending:
            raise
        except KafkaError as error:
            if not error.retriable:
                raise
        # Whatever it was, the coordinator may be another one by now.
        coordinator.coordinator_dead()
        await asyncio.sleep(_BACKOFF_SECONDS)


def offset_in(reply: Any, tp: TopicPartition) -> int | None:
    """Return the offset that a reply to OffsetFetch gives for a partition; None for none yet.

    Raises:
        OffsetPending: a transaction that would replace it is open.
        KafkaError: the reply says so, or says nothing of the partition.
    """
    _raise_for(getattr(reply, "error_code", 0))
    for topic, partitions, *_ in reply.topics:
        for partition, offset, *others in partitions:
            if (topic, partition) == (tp.topic, tp.partition):
                # Version 7 has the leader's epoch before the metadata, and tags at the end.
                code = next(field for field in reversed(others) if isinstance(field, int))
                _raise_for(code)
                if offset < _NOTHING:
                    raise MalformedReply(
                        f"the offset of {topic}[{partition}] is said to be {offset}"
                    )
                return None if offset == _NOTHING else int(offset)
    raise MalformedReply(f"the reply says nothing of {tp.topic}[{tp.partition}]")


def _note_in(reply: Any, tp: TopicPartition) -> str:
    for topic, partitions, *_ in reply.topics:
        for partition, _offset, *others in partitions:
            if (topic, partition) == (tp.topic, tp.partition):
                return next((field for field in others if isinstance(field, str)), "")
    return ""


def _raise_for(code: int) -> None:
    if code == _UNSTABLE_OFFSET_COMMIT:
        raise OffsetPending("a transaction is open that holds the group's next offset")
    raise_for(code)


class _SettledOffsetReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 9
    API_VERSION = 7
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        (
            "topics",
            groups(
                ("topic", STRING),
                (
                    "partitions",
                    groups(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", STRING),
                        ("error_code", Int16),
                    ),
                ),
            ),
        ),
        ("error_code", Int16),
    )


class _SettledOffsetFetchV7(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 9
    API_VERSION = 7
    RESPONSE_TYPE = _SettledOffsetReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        ("consumer_group", STRING),
        (
            "topics",
            partitions_by_topic(),
        ),
        ("require_stable", Boolean),
    )


class SettledOffsetFetch(Request[OffsetFetchRequest_v3 | _SettledOffsetFetchV7]):  # type: ignore[misc]
    """OffsetFetch with ``require_stable``. A broker before 2.5 does not know that, and is not asked."""

    API_KEY = 9

    def __init__(self, group: str, topics: list[tuple[str, list[int]]]) -> None:
        self._group = group
        self._topics = topics

    def build(self, request_struct_class: Any) -> Any:
        """Return the request as it goes over the wire."""
        if request_struct_class is OffsetFetchRequest_v3:
            return request_struct_class(self._group, self._topics)
        topics = [(topic, partitions, NO_TAGS) for topic, partitions in self._topics]
        return request_struct_class(self._group, topics, True, NO_TAGS)
