"""Offsets that a transaction commits in the name of a group's member, who may be refused (KIP-447).

A group's coordinator takes them only from a member of the current generation: whoever lost its
partitions and has not heard so cannot commit. aiokafka 0.14 sends version 0 of the request, in which
no member is named, and nobody is refused: versions 3 and 5 are defined here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.transaction import TxnOffsetCommitRequest_v0
from aiokafka.protocol.types import Int16, Int32, Int64

from stream.errors import BrokerError
from stream.kafka.by_topic import by_topic
from stream.kafka.flexible import NO_TAGS, STRING, groups, message
from stream.kafka.private import coordinator_of

_UNKNOWN_LEADER_EPOCH: Final = -1
# The reply that tells a member of the new generation is on its way, or the member is not meant.
_SOON_SECONDS: Final = 1.0
_LOOK_AGAIN_SECONDS: Final = 0.01


@dataclass(slots=True, eq=False)
class Membership:
    """A member of a consumer group.

    It is the same one as long as the member loses no partition that it did not give up itself.
    """

    generation: int
    """It moves on when the group deals anew and the member keeps what it has."""
    member_id: str
    instance: str | None = None
    """Its own name in the group (KIP-345)."""
    is_over: bool = False
    """Whether the group went on without the member, and may have given away all that it had."""

    async def moves_on(self, generation: int) -> bool:
        """Return whether the member is in a newer generation, or will be in a moment.

        Args:
            generation: that the group has refused.
        """
        until = time.monotonic() + _SOON_SECONDS
        while self.generation == generation and not self.is_over and time.monotonic() < until:  # noqa: ASYNC110 - at most a second
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return self.generation != generation and not self.is_over


@dataclass(frozen=True, slots=True)
class NotedOffset:
    """The offset to go on from, and what is kept beside it."""

    offset: int
    note: str = ""
    """4 KB at most."""


def membership_of(consumer: AIOKafkaConsumer, instance: str | None) -> Membership:
    """Return what a member's coordinator knows it as just now.

    Take it when partitions are assigned, and keep it with them. Asked later it may be that of another
    assignment, or of none: a member that was thrown out would commit as if it had no group.

    Args:
        consumer: started, with partitions assigned by the group.
        instance: the member's own name, if it has one.
    """
    coordinator = coordinator_of(consumer)
    known: Membership | None = getattr(coordinator, "membership", None)
    if known is not None:  # it is kept up to date
        return known
    # Generation -1 is how somebody commits who is no member, and the group would refuse nothing.
    return Membership(max(coordinator.generation, 0), coordinator.member_id, instance)


NOBODY: Final = Membership(-1, "")
"""Who commits as no member: the group refuses nobody."""


class _MemberOffsetsReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 28
    API_VERSION = 3
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        (
            "errors",
            groups(
                ("topic", STRING),
                ("partition_errors", groups(("partition", Int32), ("error_code", Int16))),
            ),
        ),
    )


class _MemberOffsetCommitV3(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 28
    API_VERSION = 3
    RESPONSE_TYPE = _MemberOffsetsReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        ("transactional_id", STRING),
        ("group_id", STRING),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("generation_id", Int32),
        ("member_id", STRING),
        ("group_instance_id", STRING),
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
                    ),
                ),
            ),
        ),
    )


class _JoiningOffsetsReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 28
    API_VERSION = 5
    SCHEMA = _MemberOffsetsReply.SCHEMA


class _JoiningOffsetCommitV5(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 28
    API_VERSION = 5
    RESPONSE_TYPE = _JoiningOffsetsReply
    FLEXIBLE_VERSION = True
    SCHEMA = _MemberOffsetCommitV3.SCHEMA


@dataclass(frozen=True, slots=True)
class TransactionOffsets:
    """What a transaction commits for a group."""

    transactional_id: str
    producer: tuple[int, int]
    """Its id and epoch."""
    group: str
    offsets: Mapping[TopicPartition, NotedOffset]
    membership: Membership = NOBODY
    """In whose name."""

    def as_request(self, struct_class: Any) -> Any:
        """Return them as they go over the wire."""
        topics = by_topic(
            (tp, (tp.partition, next_.offset, _UNKNOWN_LEADER_EPOCH, next_.note, NO_TAGS))
            for tp, next_ in self.offsets.items()
        )
        member = self.membership
        return struct_class(
            self.transactional_id,
            self.group,
            *self.producer,
            member.generation,
            member.member_id,
            member.instance,
            [(topic, partitions, NO_TAGS) for topic, partitions in topics.items()],
            NO_TAGS,
        )


class MemberOffsetCommit(Request[TxnOffsetCommitRequest_v0 | _MemberOffsetCommitV3]):  # type: ignore[misc]
    """TxnOffsetCommit that names the member. The group is part of the transaction already."""

    API_KEY = 28

    def __init__(self, offsets: TransactionOffsets) -> None:
        self._offsets = offsets

    def build(self, request_struct_class: Any) -> Any:
        """Return the request as it goes over the wire.

        Raises:
            BrokerError: the broker does not know the member in it, and would refuse nobody.
        """
        if request_struct_class is TxnOffsetCommitRequest_v0:
            raise BrokerError(
                "a broker before Kafka 2.5 cannot refuse a worker that lost its partitions",
                "set REVIEWS_WORKER__TRANSACTIONS=partition",
            )
        return self._offsets.as_request(request_struct_class)


class JoiningOffsetCommit(Request[_JoiningOffsetCommitV5]):  # type: ignore[misc]  # likewise
    """TxnOffsetCommit by which the group joins the transaction (KIP-890). It may name the member."""

    API_KEY = 28
    NEWEST = _JoiningOffsetCommitV5.API_VERSION

    def __init__(self, offsets: TransactionOffsets) -> None:
        self._offsets = offsets

    def build(self, request_struct_class: Any) -> Any:
        """Return the request as it goes over the wire."""
        return self._offsets.as_request(request_struct_class)
