"""How far a group of workers is behind: one answer for `doctor`, the monitor, metrics and alerts.

Counted are offsets from the committed one to the end of the partition. What lies behind an open
transaction counts, and is told apart: it waits, but no worker can read it yet. Ends of transactions
have offsets, too. Workers commit past them when all is quiet; before that, and where no worker runs,
a look into the topic tells them from reviews, for whoever may read it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from stream.kafka.clients import observer, offset_observer
from stream.kafka.connection import start, unreachable
from stream.kafka.offsets import committed_offsets
from stream.kafka.open_transactions import OpenTransaction, open_transaction
from stream.kafka.private import client_of
from stream.kafka.read_to_end import read_to_end
from stream.kafka.topics import partitions_of
from stream.settings import Settings

# So many offsets are looked into: a second of reading at most. Beyond, a few ends do not matter.
_MOST_LOOKED_INTO: Final = 1000
# A transaction that has not ended by the next look is named. Those of a busy producer end sooner.
_LOOK_AGAIN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One input partition as the worker group stands to it."""

    partition: int
    committed: int | None
    """The group's position; None: it never committed here."""
    readable: int
    """Events that a worker could read and that none has answered."""
    deleted: int = 0
    """Offsets behind the committed one that are no more: deleted before any worker answered them."""
    held: int = 0
    """Events behind an open transaction, its own included."""
    transaction: OpenTransaction | None = None
    """The one that holds them, once it stays open; None: none does. Open since it was first seen, if
    nobody says more."""

    @property
    def lag(self) -> int:
        """Events that are not yet answered."""
        return self.readable + self.held


class LagProbe:
    """Asks the broker how far the workers are, without joining their group. Use as ``async with``.

    Args:
        settings: connection, the incoming topic, the workers' group.
        look_into: whether to read what may be ends of transactions only.
    """

    def __init__(self, settings: Settings, *, look_into: bool = False) -> None:
        self._settings = settings
        self._look_into = look_into
        self._committed: Any = None
        self._written: Any = None
        self._partitions: list[TopicPartition] = []
        self._held: dict[TopicPartition, int] = {}
        """Where readers had to stop at the last look."""
        self._found: dict[TopicPartition, tuple[int, OpenTransaction]] = {}

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerError: Kafka cannot be reached or refuses us.
            TopicMissing: the incoming topic does not exist.
        """
        settings = self._settings
        self._partitions = await partitions_of(settings.kafka, settings.topic_names.incoming)
        # Assigned by hand: looking must not join the group and take partitions from a worker.
        self._committed = observer(settings.kafka, asks_about=settings.worker.group)
        self._written = offset_observer(settings.kafka)
        await start(self._committed, settings.kafka)
        try:
            await start(self._written, settings.kafka)
        except BaseException:
            await self._committed.stop()
            raise
        for consumer in (self._committed, self._written):
            consumer.assign(self._partitions)
            consumer.pause(*self._partitions)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._committed.stop()
        await self._written.stop()

    async def ask(self) -> list[PartitionLag]:
        """Return how the group stands, by partition.

        Raises:
            KafkaError, TimeoutError: the broker did not answer.
        """
        partitions, consumer = self._partitions, self._committed
        # In this order: what is committed meanwhile makes it less, never below nothing.
        committed = await self._offsets()
        first = await consumer.beginning_offsets(partitions)
        stable = await consumer.end_offsets(partitions)
        written = await self._written.end_offsets(partitions)
        found = []
        for tp in partitions:
            at = first[tp] if (known := committed[tp]) is None else max(known, first[tp])
            readable = max(stable[tp] - at, 0)
            if self._look_into and 0 < readable <= _MOST_LOOKED_INTO:
                readable = await self._events(tp, at, stable[tp], otherwise=readable)
            held = max(written[tp] - max(stable[tp], at), 0)
            transaction = await self._transaction(tp, stable[tp] if held else None)
            deleted = 0 if known is None else max(first[tp] - known, 0)
            found.append(PartitionLag(tp.partition, known, readable, deleted, held, transaction))
        return found

    async def _offsets(self) -> Mapping[TopicPartition, int | None]:
        # A group's coordinator that moves is waited for, but not for ever.
        async with asyncio.timeout(self._settings.kafka.request_timeout_ms / 1000):
            group = self._settings.worker.group
            return await committed_offsets(self._committed, group, self._partitions)

    async def _events(self, tp: TopicPartition, at: int, end: int, *, otherwise: int) -> int:
        """Return how many of some offsets are events that can be read."""
        consumer = self._committed
        consumer.seek(tp, at)
        consumer.resume(tp)
        try:
            async with asyncio.timeout(self._settings.kafka.request_timeout_ms / 1000):
                records = read_to_end(consumer, {tp: end})
                return len([record async for record in records if record.offset < end])
        except (TopicAuthorizationFailedError, TimeoutError):
            self._look_into = False
            return otherwise
        finally:
            consumer.pause(tp)

    async def _transaction(self, tp: TopicPartition, stop: int | None) -> OpenTransaction | None:
        """Return the transaction that readers wait for, if they have since the last look."""
        before, at = self._held.get(tp), stop
        if at is None:
            self._held.pop(tp, None)
            self._found.pop(tp, None)
            return None
        self._held[tp] = at
        if before != at:
            return None
        known = self._found.get(tp)
        if known is None or known[0] != at:
            found = await open_transaction(client_of(self._committed), tp)
            if found.since is None:
                found = replace(found, since=datetime.now(UTC))
            self._found[tp] = known = at, found
        return known[1]


async def worker_lag(settings: Settings) -> list[PartitionLag]:
    """Return the worker group's lag on the incoming topic, by partition.

    Where a transaction is open, it looks again a second later, to name one that stays so.

    Raises:
        BrokerError: Kafka cannot be reached or refuses us.
        TopicMissing: the incoming topic does not exist.
    """
    try:
        async with LagProbe(settings, look_into=True) as probe:
            found = await probe.ask()
            if any(partition.held for partition in found):
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                found = await probe.ask()
            return found
    except (KafkaError, OSError) as error:
        raise unreachable(settings.kafka, error) from None


def held_back(topic: str, partitions: Iterable[PartitionLag]) -> list[str]:
    """Return a sentence for each partition whose readers wait for a transaction."""
    return [_sentence(topic, lag) for lag in partitions if lag.transaction is not None]


def _sentence(topic: str, lag: PartitionLag) -> str:
    assert lag.transaction is not None  # noqa: S101 - held_back() selects
    found = lag.transaction
    since = f" since {found.since:%Y-%m-%d %H:%M:%S} UTC" if found.since is not None else ""
    whose = f", id {found.transactional_id}" if found.transactional_id is not None else ""
    if found.producer_id is not None:
        whose += f", producer {found.producer_id}"
    untold = f" (not told: {found.untold})" if found.untold else ""
    return (
        f"{topic}[{lag.partition}]: a transaction is open{since}{whose}{untold}; "
        f"{lag.held:,} events wait for its end"
    )
