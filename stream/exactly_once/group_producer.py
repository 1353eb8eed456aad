"""A transactional producer that answers a consumer group's input: any number of its partitions at a time.

aiokafka makes the connections and the wire format; the order of the requests is ours. Before the
first record of a transaction is written to a partition, and before an offset is, a broker asks the
transaction's coordinator whether the transaction is open there (KIP-890, since Kafka 3.6). While it
asks, it takes a second question about the same transactional id for a retry of the first and tells
the first client to try again, as does a coordinator that is just adding to the transaction.
aiokafka's producer writes records, adds the group and commits the offset side by side, is told so
every few transactions, and then waits 100 ms. One after the other, nothing is told to wait:

1. partitions and group are named, in two requests on their way at the same time (not in transactions
   of the second version, see :mod:`stream.exactly_once.negotiation`);
2. records are written, to all leaders at the same time;
3. the offsets are written;
4. the end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    InvalidTransactionTimeout,
    KafkaConnectionError,
    NodeNotReadyError,
    RequestTimedOutError,
    UnsupportedVersionError,
)

from stream.exactly_once.coordinators import GroupOffsets, TransactionCoordinator
from stream.exactly_once.decision_mark import decided, is_being_ended, mark_of, unmarked
from stream.exactly_once.message import Message
from stream.exactly_once.negotiation import TransactionVersion
from stream.exactly_once.options import TransactionOptions
from stream.exactly_once.partition_writer import PartitionWriter
from stream.kafka.clients import bare_client
from stream.kafka.lost_connections import LostConnections
from stream.kafka.membership import Membership, NotedOffset
from stream.kafka.private import abort_connections
from stream.kafka.size_limits import SizeLimits
from stream.kafka.transaction_state import LastTransaction, last_transaction

# Closing what was aborted takes no time; this only bounds a failure.
DISCARD_TIMEOUT: Final = 1.0
# A coordinator lets a transaction begin once it calls the one before ended. So of what was committed
# only the last two can lack an end when a connection is found lost.
_UNPROVEN: Final = 2
_ASK_AGAIN_SECONDS: Final = 0.1
_BROKEN: Final = (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, OSError)


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """What a transaction publishes and commits for one input partition."""

    messages: Sequence[Message]
    """In order."""
    next: NotedOffset
    """After the last record that ``messages`` answer."""


class GroupProducer:
    """The producer with one transactional id.

    After any exception it must be discarded: what became of the open transaction is unknown, and a
    new producer with the same id settles it.

    Args:
        options: connection, group and timeouts.
        transactional_id: of it.
        limits: how large messages and batches may be.
    """

    def __init__(
        self,
        options: TransactionOptions,
        transactional_id: str,
        limits: SizeLimits | None = None,
    ) -> None:
        self.transactional_id = transactional_id
        self._group = options.group
        self._negotiation = options.negotiation
        # A transaction that the broker would have timed out by now cannot succeed any more.
        self._timeout = options.timeout_ms / 1000
        self._timeout_ms = unmarked(options.timeout_ms)
        self._closing: asyncio.Task[None] | None = None
        self._client: Any = bare_client(options.connection())
        self._lost_connections = LostConnections(self._client)
        self._committed: deque[Collection[TopicPartition]] = deque(maxlen=_UNPROVEN)
        self._transaction = TransactionCoordinator(self._client, transactional_id)
        self._offsets = GroupOffsets(self._client, options.group)
        self._writer = PartitionWriter(
            self._client,
            self._transaction,
            options.compression,
            options.request_timeout_ms,
            limits or SizeLimits(),
        )

    async def connect(self) -> None:
        """Find the brokers.

        Raises:
            KafkaError, TimeoutError: none answers.
        """
        async with asyncio.timeout(self._timeout):
            await self._client.bootstrap()

    async def initialise(self) -> None:
        """Shut out whoever had the id, and abort what is open.

        Raises:
            KafkaError, TimeoutError: that could not be done.
        """
        async with asyncio.timeout(self._timeout):
            await self._initialise(self._timeout_ms)
            self._lost_connections.any_since_asked()

    async def take_over(self, topics: Sequence[str], partitions: Iterable[int]) -> None:
        """Shut out whoever had the id, and end its last transaction everywhere, as it was decided.

        A coordinator takes a partition that has no leader just now for deleted, and does without its
        marker (KAFKA-20734; one broker, killed and restarted, is enough). Records and offsets then
        wait for the id's next transaction, whose end counts for them, too. So one is made that is
        empty, names all partitions (in either version), and ends as the former one was decided. It
        changes nothing where nothing was left.

        Args:
            topics: everything that the id's transactions publish to.
            partitions: numbers of the input partitions that they answered.

        Raises:
            Fenced: somebody else has taken it over meanwhile.
            KafkaError, TimeoutError: that could not be done.
        """
        async with asyncio.timeout(self._timeout):
            last = await last_transaction(self._client, self.transactional_id)
            commit = None if last is None else decided(last)
            if last is not None and commit is not None:
                await self._initialise_to_end(last, commit=commit)
                counts = await self._writer.partition_counts(set(topics))
                numbers = tuple(partitions)
                named = [
                    _answering(number, topic, counts) for topic in topics for number in numbers
                ]
                await self._end_again(named, commit=commit)
        await self.initialise()

    async def _initialise_to_end(self, last: LastTransaction, *, commit: bool) -> None:
        if is_being_ended(last):
            # Somebody was at it, and may be dead. To initialise the id would abort what they began.
            version = await self._negotiation.version(self._transaction.features)
            self._transaction.go_on(last.producer_id, last.epoch, version)
            return
        try:
            await self._initialise(mark_of(commit=commit))
        except InvalidTransactionTimeout:  # the broker allows less: then the decision is ours alone
            await self._initialise(self._timeout_ms)

    async def _initialise(self, timeout_ms: int) -> None:
        version = await self._negotiation.version(self._transaction.features)
        await self._transaction.initialise(version, timeout_ms)

    async def commit(
        self,
        results: Mapping[TopicPartition, PartitionResult],
        membership: Membership | None = None,
        seconds: float | None = None,
    ) -> None:
        """Publish messages and the group's offsets in one transaction.

        Args:
            results: by input partition; at least one.
            membership: the member in whose name offsets are committed.
            seconds: after which it is given up; as long as the broker waits, unless given.

        Raises:
            Fenced: the id has another owner, or a partition has; nothing was published.
            RecordsTooLarge: a topic does not take so much; nothing was published.
            KafkaError, TimeoutError: the outcome is unknown; discard this producer.
        """
        async with asyncio.timeout(self._timeout if seconds is None else seconds):
            written = await self.write(results, membership)
            await self._end(commit=True)
        self._committed.append(written)

    async def write(
        self,
        results: Mapping[TopicPartition, PartitionResult],
        membership: Membership | None = None,
    ) -> Collection[TopicPartition]:
        """Do all of :meth:`commit` but the end; return the partitions that were written to."""
        if self._lost_connections.any_since_asked() and self._committed:
            # The end of what was committed last may not have come everywhere, and this transaction
            # may be aborted: that must not be the end of those records.
            await self._end_again(set().union(*self._committed), commit=True)
        topics = {message.topic for result in results.values() for message in result.messages}
        counts = await self._writer.partition_counts(topics)
        by_partition: dict[TopicPartition, list[Message]] = {}
        for tp, result in results.items():
            for message in result.messages:
                output = _answering(tp.partition, message.topic, counts)
                by_partition.setdefault(output, []).append(message)
        if self._transaction.version is TransactionVersion.NAMED:
            await self._name(by_partition)
        offsets = {tp: result.next for tp, result in results.items()}
        with self._hearing_refusals():
            # Not side by side: see above.
            await self._writer.write(by_partition)
            await self._offsets.commit(self._transaction, offsets, membership)
        return frozenset(by_partition)

    async def _end_again(self, partitions: Collection[TopicPartition], *, commit: bool) -> None:
        """End a transaction once more that has ended, in case that a partition lacks its end.

        To give up half-way would leave an open transaction, which is aborted in the end: so it is
        tried for as long as the caller has time.
        """
        while True:
            try:
                await self._name(partitions)
                await self._end(commit=commit)
            except _BROKEN:
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
            else:
                return

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

    async def _end(self, *, commit: bool) -> None:
        with self._hearing_refusals():
            await self._transaction.end(commit=commit)

    @contextlib.contextmanager
    def _hearing_refusals(self) -> Iterator[None]:
        try:
            yield
        except (IncompatibleBrokerVersion, UnsupportedVersionError):
            if self._transaction.version is not TransactionVersion.NAMED:
                self._negotiation.refused()
            raise

    async def _name(self, partitions: Iterable[TopicPartition]) -> None:
        """Name what the transaction is about: both requests are on their way at the same time."""
        await asyncio.gather(
            self._transaction.add_partitions(partitions), self._transaction.add_group(self._group)
        )


def _answering(partition: int, topic: str, counts: Mapping[str, int]) -> TopicPartition:
    return TopicPartition(topic, partition % counts[topic])
