"""A transactional producer for one input partition.

Unless a membership is given, its offsets are committed with TxnOffsetCommit v0: the broker gets the
group's name, no member and no generation, and so cannot fence a worker that lost its partitions
(aio-libs/aiokafka#844). Fencing by producer epoch does it: the transactional id is derived from
group, topic and partition, and initialising it on assignment aborts whatever the former owner had
open and shuts it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aiokafka import TopicPartition

from stream.exactly_once.group_producer import GroupProducer, PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.options import TransactionOptions
from stream.kafka.membership import Membership, NotedOffset
from stream.kafka.size_limits import SizeLimits


class PartitionProducer(Protocol):
    """What publishes and commits for one input partition, and is discarded after any exception."""

    async def start(self, topics: Sequence[str] = ()) -> None:
        """Shut the former owner out, and end its last transaction everywhere as it was decided.

        Args:
            topics: everything that the partition's transactions publish to.
        """

    async def commit(self, messages: Sequence[Message], next_offset: int, note: str = "") -> None:
        """Publish messages and the group's offset in one transaction."""

    async def discard(self) -> None:
        """Let go of the connections."""


class TransactionalProducer:
    """A producer whose transactional id belongs to one input partition.

    After any exception it must be discarded: what became of the open transaction is unknown, and a
    new producer with the same id settles it.

    Args:
        options: connection, group and timeouts.
        tp: the input partition.
        limits: how large messages and batches may be.
        membership: the member in whose name offsets are committed.
    """

    def __init__(
        self,
        options: TransactionOptions,
        tp: TopicPartition,
        limits: SizeLimits | None = None,
        membership: Membership | None = None,
    ) -> None:
        self._tp = tp
        self._membership = membership
        self._producer = GroupProducer(options, transactional_id(options.group, tp), limits)

    async def start(self, topics: Sequence[str] = ()) -> None:
        """Take the transactional id over: afterwards the former owner is fenced and settled.

        Args:
            topics: everything that the id's transactions publish to; see
                :meth:`stream.exactly_once.group_producer.GroupProducer.take_over`.

        Raises:
            KafkaError, TimeoutError: it could not be.
        """
        await self._producer.connect()
        await self._producer.take_over(topics, [self._tp.partition])

    async def commit(self, messages: Sequence[Message], next_offset: int, note: str = "") -> None:
        """Publish messages and the group's offset in one transaction.

        Args:
            messages: what to publish, in order.
            next_offset: the input offset after the last one that ``messages`` answer.
            note: kept with the offset, 4 KB at most; see :func:`stream.kafka.offsets.committed_note`.

        Raises:
            Fenced: the partition has another owner; nothing was published.
            RecordsTooLarge: a topic does not take so much; nothing was published.
            KafkaError, TimeoutError: the outcome is unknown; discard this producer.
        """
        await self._producer.commit(self._result(messages, next_offset, note), self._membership)

    async def write(self, messages: Sequence[Message], next_offset: int) -> None:
        """Do all of :meth:`commit` but the end."""
        await self._producer.write(self._result(messages, next_offset), self._membership)

    async def discard(self) -> None:
        """Close the connections without waiting for what is in doubt."""
        await self._producer.discard()

    def _result(
        self, messages: Sequence[Message], next_offset: int, note: str = ""
    ) -> dict[TopicPartition, PartitionResult]:
        return {self._tp: PartitionResult(messages, NotedOffset(next_offset, note))}


def transactional_id(group: str, tp: TopicPartition) -> str:
    """Return the transactional id of an input partition: the same for every worker of the group."""
    return f"{group}.{tp.topic}.{tp.partition}"
