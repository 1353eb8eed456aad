"""A transactional producer for one input partition.

aiokafka commits offsets with TxnOffsetCommit v0: the broker gets the group's name, no member and no
generation, and so cannot fence a worker that lost its partitions (aio-libs/aiokafka#844). Fencing
by producer epoch does it instead: the transactional id is derived from group, topic and partition,
and initialising it on assignment aborts whatever the former owner had open and shuts it out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
)

from stream.kafka import connection_options
from stream.settings import Settings
from stream.worker.routing import Message

# Larger than any message (dead letters reach 2 MiB with headers).
MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
# One batch a partition and transaction in nearly all cases.
BATCH_BYTES: Final = 512 * 1024
# A producer in doubt is not worth waiting for: its successor's epoch settles everything.
DISCARD_TIMEOUT: Final = 1.0


class Fenced(Exception):
    """Another producer took the transactional id over: the partition has a new owner."""


class LaneProducer:
    """The producer of one lane. It is used for one thing: :meth:`commit`.

    After any exception it must be discarded: what became of the open transaction is unknown, and a
    new producer with the same id settles it.
    """

    def __init__(self, settings: Settings, tp: TopicPartition) -> None:
        worker = settings.worker
        self._tp = tp
        self._group = worker.group
        # A transaction that the broker would have timed out by now cannot succeed any more.
        self._timeout = worker.transaction_timeout_ms / 1000
        compression = None if worker.compression == "none" else worker.compression
        self._partitions: dict[str, int] = {}
        self._closing: asyncio.Task[None] | None = None
        self._producer = AIOKafkaProducer(
            **connection_options(settings.kafka),
            transactional_id=transactional_id(worker.group, tp),
            transaction_timeout_ms=worker.transaction_timeout_ms,
            acks="all",
            compression_type=compression,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
        )

    async def start(self) -> None:
        """Initialise the transactional id: afterwards the former owner is fenced and settled."""
        async with asyncio.timeout(self._timeout):
            await self._producer.start()

    async def commit(self, messages: Sequence[Message], next_offset: int) -> None:
        """Publish messages and the group's offset in one transaction.

        Args:
            messages: what to publish, in order.
            next_offset: the input offset after the last one that ``messages`` answer.

        Raises:
            Fenced: the partition has another owner; nothing was published.
            KafkaError, TimeoutError: the outcome is unknown; discard this producer.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._producer.begin_transaction()
                deliveries = await self._send(messages)
                offsets = self._producer.send_offsets_to_transaction(
                    {self._tp: next_offset}, self._group
                )
                await asyncio.gather(offsets, *deliveries)
                await self._producer.commit_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(str(error)) from error

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
        producer: Any = self._producer
        sender = producer._sender  # noqa: SLF001 - names partitions and group without sending
        try:
            async with asyncio.timeout(self._timeout):
                await producer.begin_transaction()
                while not await sender._do_add_offsets_to_txn(self._group):  # noqa: SLF001
                    pass  # it has waited before it said no
                for topic in topics:
                    partition = self._tp.partition % await self._partition_count(topic)
                    named = TopicPartition(topic, partition)
                    producer._txn_manager.maybe_add_partition_to_txn(named)  # noqa: SLF001
                await (producer.commit_transaction() if commit else producer.abort_transaction())
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(str(error)) from error

    async def discard(self) -> None:
        """Close the connections without waiting for what is in doubt."""
        # In a task of its own: aiokafka's sender swallows the cancellation of whoever waits for
        # its end, and a lane that never hears of its cancellation would go on for ever.
        self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        producer: Any = self._producer
        try:
            async with asyncio.timeout(DISCARD_TIMEOUT):
                await producer.stop()
        except (TimeoutError, KafkaError, AssertionError):
            # stop() flushes, and a wedged flush never ends: close what is below it.
            sender = producer._sender  # noqa: SLF001 - no public way to close at once
            if sender is not None and sender.sender_task is not None:
                sender.sender_task.cancel()
            await producer.client.close()

    async def _send(self, messages: Sequence[Message]) -> list[asyncio.Future[Any]]:
        by_partition: dict[tuple[str, int], list[Message]] = {}
        for message in messages:
            partition = self._tp.partition % await self._partition_count(message.topic)
            by_partition.setdefault((message.topic, partition), []).append(message)
        deliveries: list[asyncio.Future[Any]] = []
        timestamp = int(time.time() * 1000)
        for (topic, partition), group in by_partition.items():
            for batch in self._batches(group, timestamp):
                delivery = await self._producer.send_batch(batch, topic, partition=partition)
                deliveries.append(delivery)
        return deliveries

    def _batches(self, messages: Sequence[Message], timestamp: int) -> list[Any]:
        batch = self._producer.create_batch()
        batches = [batch]
        for message in messages:
            fields = {
                "timestamp": timestamp,
                "key": message.key,
                "value": message.value,
                "headers": message.headers,
            }
            if batch.append(**fields) is None:  # full: the first of a batch always fits
                batch = self._producer.create_batch()
                batches.append(batch)
                batch.append(**fields)
        for batch in batches:
            batch.close()
        return batches

    async def _partition_count(self, topic: str) -> int:
        count = self._partitions.get(topic)
        if count is None:
            count = len(await self._producer.partitions_for(topic))
            self._partitions[topic] = count
        return count


def transactional_id(group: str, tp: TopicPartition) -> str:
    """Return the transactional id of an input partition: the same for every worker of the group."""
    return f"{group}.{tp.topic}.{tp.partition}"
