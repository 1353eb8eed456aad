"""Notices that a consumer group stands still though there is something to read.

Under a heavy load Faust's fetcher now and then never goes on after its tables were read back. It says
nothing, and its group keeps its members. What is certain is seen from outside: events wait, and the
committed position does not move.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import BrokerError
from stream.kafka.clients import observer
from stream.kafka.connection import start
from stream.kafka.offsets import committed_offsets
from stream.kafka.read_to_end import read_to_end
from stream.settings import KafkaSettings

_LOOK_SECONDS: Final = 5.0


class StandsStill(Exception):
    """Events of a partition wait, and none was committed for too long."""


class Standstill:
    """Tells since when a position has not moved although events wait after it.

    Args:
        seconds: so long it may stand.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: dict[TopicPartition, tuple[int | None, float]] = {}

    def look(
        self, committed: Mapping[TopicPartition, int | None], ends: Mapping[TopicPartition, int]
    ) -> list[TopicPartition]:
        """Return the partitions that have stood for too long with something after their position."""
        now = self._clock()
        for tp, position in committed.items():
            before = self._since.get(tp)
            if before is None or before[0] != position or ends[tp] <= (position or 0):
                self._since[tp] = (position, now)
        return [tp for tp in committed if now - self._since[tp][1] >= self._seconds]

    def moves(self, tp: TopicPartition) -> None:
        """Count anew: what waits are no events."""
        self._since.pop(tp, None)

    def forget(self) -> None:
        """Count anew everywhere: the broker did not answer meanwhile."""
        self._since.clear()


async def stands_still(
    kafka: KafkaSettings,
    group: str,
    partitions: Sequence[TopicPartition],
    seconds: float,
    read_back: Callable[[], object] = lambda: None,
) -> None:
    """Watch a group, without joining it, for as long as it advances.

    Args:
        kafka: connection.
        group: whose positions are looked at.
        partitions: that it reads.
        seconds: so long a position may stand with events after it.
        read_back: what changes for as long as the group reads its tables back: it takes no event in then,
            however long that takes.

    Raises:
        StandsStill: it does; the message names partition and position.
    """
    standstill = Standstill(seconds)
    known = read_back()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        # A broker that does not answer says nothing about the group.
        with contextlib.suppress(BrokerError, KafkaError, OSError):
            async with _observing(kafka, group, partitions) as consumer:
                while True:
                    if (now := read_back()) != known:
                        known = now
                        standstill.forget()
                    async with asyncio.timeout(kafka.request_timeout_ms / 1000):
                        await _look(consumer, group, partitions, standstill)
                    await asyncio.sleep(_LOOK_SECONDS)
        standstill.forget()


@contextlib.asynccontextmanager
async def _observing(
    kafka: KafkaSettings, group: str, partitions: Sequence[TopicPartition]
) -> AsyncIterator[Any]:
    consumer: Any = observer(kafka, asks_about=group)
    await start(consumer, kafka)
    try:
        consumer.assign(partitions)
        consumer.pause(*partitions)
        yield consumer
    finally:
        await consumer.stop()


async def _look(
    consumer: Any, group: str, partitions: Sequence[TopicPartition], standstill: Standstill
) -> None:
    committed = await committed_offsets(consumer, group, partitions)
    ends = await consumer.end_offsets(partitions)
    for tp in standstill.look(committed, ends):
        if await _any_event(consumer, tp, committed[tp], ends[tp]):
            raise StandsStill(f"{tp.topic}[{tp.partition}] at {committed[tp]}")
        standstill.moves(tp)


async def _any_event(consumer: Any, tp: TopicPartition, position: int | None, end: int) -> bool:
    """Tell whether an event waits, or only the ends of transactions do."""
    if position is None:
        await consumer.seek_to_beginning(tp)
    else:
        consumer.seek(tp, position)
    consumer.resume(tp)
    try:
        async for record in read_to_end(consumer, {tp: end}):
            return bool(record.offset < end)
    finally:
        consumer.pause(tp)
    return False
