"""A transactional producer for one input partition.

aiokafka makes the connections and the wire format; the order of the requests is ours. Before the
first record of a transaction is written to a partition, and before an offset is, a broker asks the
transaction's coordinator whether the transaction is open there (KIP-890, since Kafka 3.6). While it
asks, it takes a second question about the same transactional id for a retry of the first and tells
the first client to try again, as does a coordinator that is just adding to the transaction.
aiokafka's producer writes records, adds the group and commits the offset side by side, is told so
every few transactions, and then waits 100 ms. One after the other, nothing is told to wait:

1. partitions and group are named, in two requests on their way at the same time;
2. records are written, to all leaders at the same time;
3. the offset is written;
4. the end.

Offsets are committed with TxnOffsetCommit v0: the broker gets the group's name, no member and no
generation, and so cannot fence a worker that lost its partitions (aio-libs/aiokafka#844). Fencing
by producer epoch does it instead: the transactional id is derived from group, topic and partition,
and initialising it on assignment aborts whatever the former owner had open and shuts it out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiokafka import TopicPartition

from stream.exactly_once.coordinators import GroupOffsets, TransactionCoordinator
from stream.exactly_once.message import Message
from stream.exactly_once.options import TransactionOptions
from stream.exactly_once.partition_writer import PartitionWriter
from stream.kafka.clients import bare_client
from stream.kafka.private import abort_connections
from stream.kafka.size_limits import SizeLimits

# Closing what was aborted takes no time; this only bounds a failure.
DISCARD_TIMEOUT: Final = 1.0


class TransactionalProducer:
    """The producer for one input partition. It is used for one thing: :meth:`commit`.

    After any exception it must be discarded: what became of the open transaction is unknown, and a
    new producer with the same id settles it.

    Args:
        options: connection, group and timeouts.
        tp: the input partition.
        limits: how large messages and batches may be.
    """

    def __init__(
        self, options: TransactionOptions, tp: TopicPartition, limits: SizeLimits | None = None
    ) -> None:
        self._tp = tp
        self._group = options.group
        # A transaction that the broker would have timed out by now cannot succeed any more.
        self._timeout = options.timeout_ms / 1000
        self._closing: asyncio.Task[None] | None = None
        self._client: Any = bare_client(options.connection())
        self._transaction = TransactionCoordinator(
            self._client, transactional_id(options.group, tp), options.timeout_ms
        )
        self._offsets = GroupOffsets(self._client, options.group)
        self._writer = PartitionWriter(
            self._client,
            self._transaction,
            options.compression,
            options.request_timeout_ms,
            limits or SizeLimits(),
        )

    async def start(self) -> None:
        """Initialise the transactional id: afterwards the former owner is fenced and settled.

        Raises:
            KafkaError, TimeoutError: it could not be.
        """
        async with asyncio.timeout(self._timeout):
            await self._client.bootstrap()
            await self._transaction.initialise()

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
        async with asyncio.timeout(self._timeout):
            await self._write(messages, next_offset, note)
            await self._transaction.end(commit=True)

    async def end_unended(self, topics: Sequence[str], *, commit: bool) -> None:
        """End what a former producer of this id left open although the coordinator calls it ended.

        A coordinator takes a partition that has no leader just now for deleted, and does without its
        marker (KAFKA-20734; one broker, killed and restarted, is enough). Records and offset then
        wait for the id's next transaction, whose end counts for them, too. So one is made that is
        empty, names all partitions, and ends as the former one was decided.

        Args:
            topics: everything that the id's transactions publish to.
            commit: what was decided.

        Raises:
            Fenced: the partition has another owner.
            KafkaError, TimeoutError: as :meth:`commit`.
        """
        async with asyncio.timeout(self._timeout):
            counts = await self._writer.partition_counts(set(topics))
            await self._name(self._partition(topic, counts[topic]) for topic in topics)
            await self._transaction.end(commit=commit)

    async def discard(self) -> None:
        """Close the connections without waiting for what is in doubt."""
        # In a task of its own: aiokafka swallows the cancellation of whoever waits for a client's
        # end, and a processor that never hears of its cancellation would go on for ever.
        self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        # What is still in a buffer is void: a graceful close would wait for a broker that is frozen.
        abort_connections(self._client)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_TIMEOUT):
                await self._client.close()

    async def _write(self, messages: Sequence[Message], next_offset: int, note: str = "") -> None:
        counts = await self._writer.partition_counts({message.topic for message in messages})
        by_partition: dict[TopicPartition, list[Message]] = {}
        for message in messages:
            tp = self._partition(message.topic, counts[message.topic])
            by_partition.setdefault(tp, []).append(message)
        await self._name(by_partition)
        # Not side by side: see above.
        await self._writer.write(by_partition)
        await self._offsets.commit(self._transaction, self._tp, next_offset, note)

    async def _name(self, partitions: Iterable[TopicPartition]) -> None:
        """Name what the transaction is about: both requests are on their way at the same time."""
        await asyncio.gather(
            self._transaction.add_partitions(partitions), self._transaction.add_group(self._group)
        )

    def _partition(self, topic: str, count: int) -> TopicPartition:
        return TopicPartition(topic, self._tp.partition % count)


def transactional_id(group: str, tp: TopicPartition) -> str:
    """Return the transactional id of an input partition: the same for every worker of the group."""
    return f"{group}.{tp.topic}.{tp.partition}"
