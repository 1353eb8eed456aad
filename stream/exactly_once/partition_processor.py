"""A partition processor: one assigned input partition, its transactions, and its recovery."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from stream.errors import BrokerError
from stream.exactly_once.input_record import InputRecord
from stream.exactly_once.message import Message
from stream.exactly_once.transactional_producer import PartitionProducer
from stream.exactly_once.transactions import Transactions
from stream.kafka.broker_errors import Fenced
from stream.kafka.size_limits import RecordsTooLarge

# So many batches may wait while others are committed; one transaction takes all of them. Enough
# to never idle, few enough to replay quickly and to let a slow partition hold its reader back.
INBOX_BATCHES: Final = 8
# Ends of transactions are passed together: not one commit of ours for each of a producer's.
PASS_SECONDS: Final = 1.0
_FIRST_BACKOFF: Final = 0.1
_LAST_BACKOFF: Final = 5.0

_log = structlog.get_logger(__name__)
_REFUSED = (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


@dataclass(slots=True)
class PartitionBatch:
    """Input records of one partition, with all that the transaction which answers them publishes."""

    records: Sequence[InputRecord]
    messages: Sequence[Message]
    on_commit: Callable[[float], None]
    """Called with the transaction's seconds once the batch is committed."""


class PartitionProcessor:
    """Publishes one input partition's outcomes, each exactly once.

    The processor opens (new producer with the partition's transactional id, then the committed offset,
    then a seek to it), publishes batches in order, and on any failure starts again from opening. Its
    ``epoch`` grows with every restart, so that work which was read before is recognised as void.

    Args:
        tp: the input partition.
        consumer: the worker's consumer; the processor seeks and resumes its own partition only.
        transactions: makes the partition's producers, and settles what former ones left.
        reopen_after_fence: seconds to wait after being fenced. Longer than the heartbeat interval:
            if the partition was given to another worker, the rebalance closes this processor first.
        on_abort: told of every transaction that did not come to its end: "fenced" or "in-doubt".
        on_commit: called whenever ``committed`` has moved.
    """

    def __init__(
        self,
        tp: TopicPartition,
        consumer: AIOKafkaConsumer,
        transactions: Transactions,
        reopen_after_fence: float,
        on_abort: Callable[[str], None] = lambda _: None,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self.tp = tp
        self.epoch = 0
        self.is_open = False
        self.committed = 0
        self._consumer = consumer
        self._transactions = transactions
        self._recovery = transactions.recovery(tp, consumer)
        self._reopen_after_fence = reopen_after_fence
        self._on_abort = on_abort
        self._on_commit = on_commit
        self._producer: PartitionProducer | None = None
        self._inbox: list[PartitionBatch] = []
        self._changed = asyncio.Condition()
        self._in_flight = 0
        self._held = 0
        self._passed: int | None = None
        self._moved_at = time.monotonic()
        self._draining = False
        self._log = _log.bind(partition=f"{tp.topic}[{tp.partition}]")

    @property
    def accepting(self) -> bool:
        """Whether new events of this partition may be taken in."""
        return self.is_open and not self._draining

    @property
    def in_flight(self) -> int:
        """How many events were taken in and are not committed yet."""
        return self._in_flight

    @property
    def held(self) -> int:
        """How many bytes the events in flight keep in memory."""
        return self._held

    def add_in_flight(self, events: int, held: int = 0) -> None:
        """Count events that were read and are now on their way, and their bytes."""
        self._in_flight += events
        self._held += held

    def still_for(self, *, waiting: bool) -> float:
        """Return for how many seconds nothing came to its end though something is to be done.

        Ask often: it counts from the last time that it was asked and nothing was.

        Args:
            waiting: whether the topic holds events after the committed offset.
        """
        now = time.monotonic()
        if self.is_open and not waiting and not self._in_flight:
            self._moved_at = now
        return now - self._moved_at

    async def pass_to(self, position: int) -> None:
        """Commit a position that is past the ends of transactions only, after a second of quiet.

        They are no events, and are never answered: for as long as the committed offset stands
        before them, everybody who counts offsets sees somebody wait.

        Args:
            position: where the consumer stands. All before it was taken in or was no event.
        """
        quiet = time.monotonic() - self._moved_at >= PASS_SECONDS
        if not (self.accepting and quiet and not self._in_flight and position > self.committed):
            return
        async with self._changed:
            self._passed = position
            self._changed.notify_all()

    async def publish(self, part: PartitionBatch) -> None:
        """Hand a batch over, waiting for room; a batch from before a restart is dropped."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: len(self._inbox) < INBOX_BATCHES or part.records[0].stale
            )
            if not part.records[0].stale:
                self._inbox.append(part)
                self._changed.notify_all()

    async def run(self) -> None:
        """Keep the processor open and publishing until cancelled.

        Raises:
            BrokerError: the broker refuses us; trying again would not help.
        """
        backoff = _FIRST_BACKOFF
        try:
            while True:
                wait = backoff * random.uniform(0.5, 1.5)  # noqa: S311 - spreads reconnects
                try:
                    await self._open()
                    backoff = _FIRST_BACKOFF
                    await self._publish_batches()
                except _REFUSED as error:
                    raise BrokerError(
                        f"Kafka refuses this worker: {error}",
                        "check its ACLs: `reviews acl worker`",
                    ) from error
                except Fenced:
                    self._on_abort("fenced")
                    self._log.warning("fenced", retry_in=self._reopen_after_fence)
                    wait = self._reopen_after_fence
                except RecordsTooLarge as error:
                    self._on_abort("in-doubt")
                    self._transactions.limits.refused(error)
                    self._log.warning("too_large_for_topic", topic=error.topic, bytes=error.size)
                    wait = 0.0
                except (KafkaError, TimeoutError, OSError) as error:
                    self._on_abort("in-doubt")
                    self._log.warning("transaction_in_doubt", error=repr(error), retry_in=wait)
                    backoff = min(backoff * 2, _LAST_BACKOFF)
                await self._reset()
                await asyncio.sleep(wait)
        finally:
            await self._reset()

    async def drain(self, seconds: float) -> None:
        """Take nothing new in and wait until what is on its way is committed, or time is up."""
        self._draining = True
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self._in_flight == 0 or not self.is_open)
        except TimeoutError:
            # Nothing is lost: what is not committed is replayed by the partition's next owner.
            self._log.warning("drain_timed_out", events=self._in_flight)

    async def _open(self) -> None:
        self._producer = self._transactions.producer(self.tp)
        self.committed = await self._recovery.start(self._producer)
        self._consumer.seek(self.tp, self.committed)
        self._consumer.resume(self.tp)
        self.is_open = True
        self._log.info("partition_open", offset=self.committed)

    async def _publish_batches(self) -> None:
        while True:
            # A call of its own: what it published would be kept until there is more, in every partition.
            await self._publish_next()

    async def _publish_next(self) -> None:
        assert self._producer is not None  # noqa: S101 - run() opened it
        async with self._changed:
            await self._changed.wait_for(lambda: self._inbox or self._passed is not None)
            parts, self._inbox = self._inbox, []
            passed, self._passed = self._passed, None
            self._changed.notify_all()
        # All that waits is committed together: a slow commit makes the next one larger.
        messages = [message for part in parts for message in part.messages]
        next_offset = parts[-1].records[-1].record.offset + 1 if parts else passed
        assert next_offset is not None  # noqa: S101 - one of them was waited for
        started = time.perf_counter()
        await self._producer.commit(messages, next_offset)
        self.committed = next_offset
        self._moved_at = time.monotonic()
        self._on_commit()
        for part in parts:
            part.on_commit(time.perf_counter() - started)
        async with self._changed:
            self._in_flight -= sum(len(part.records) for part in parts)
            self._held -= sum(record.held for part in parts for record in part.records)
            self._changed.notify_all()

    async def _reset(self) -> None:
        """Void everything on its way, and let go of the producer."""
        self.is_open = False
        self.epoch += 1
        self._inbox = []
        self._in_flight = 0
        self._held = 0
        self._passed = None
        producer, self._producer = self._producer, None
        if self._consumer_owns():
            self._consumer.pause(self.tp)
        async with self._changed:
            self._changed.notify_all()
        if producer is not None:
            await producer.discard()

    def _consumer_owns(self) -> bool:
        return self.tp in self._consumer.assignment()
