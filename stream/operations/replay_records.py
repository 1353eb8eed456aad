"""What the records of replays say of a partition of a dead-letter topic, and what they leave in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from schemas import ContractError, ReplayProgress, WrongShape, decode
from stream.errors import BrokerError
from stream.kafka.read_to_end import read_to_end, settled
from stream.operations.replay_choice import Left
from stream.operations.replay_progress import Reached

_LONGEST: Final = 200
# By so much the clocks of two brokers may differ, of which one dates the letters and one the records.
_CLOCKS_MS: Final = 60_000

_log = structlog.get_logger(__name__)


def record_key(tp: TopicPartition) -> str:
    """Return the key under which a partition of a dead-letter topic is recorded."""
    return f"{tp.topic}/{tp.partition}"


@dataclass(frozen=True, slots=True)
class RecordsTopic:
    """The topic of records, and how it is read."""

    partitions: Sequence[TopicPartition]
    """All of them."""
    written: Any
    """Started; it is asked where they end, open transactions included."""
    patience_seconds: float
    """For how long an open transaction is waited for."""

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.partitions[0].topic)

    def answering(self, tp: TopicPartition) -> TopicPartition:
        """Return where records of an input partition are written."""
        return self.partitions[tp.partition % len(self.partitions)]


@dataclass(slots=True)
class Recorded:
    """What the records of an input partition say."""

    known: Reached | None = None
    """All together: usually there is one that compaction has left. None: there is none that counts."""
    former: set[int] = field(default_factory=set)
    """Positions in topics of the name that are not this one."""
    left_out: dict[TopicPartition, str] = field(default_factory=dict)
    """Why the last record in a partition of the topic does not count; empty: it does, or it is of a former
    topic."""

    def doubt(self, answering: TopicPartition) -> str:
        """Return why the last record does not count; empty: it does.

        Compaction leaves the last one alone: what those before it said is not known.
        """
        if answering in self.left_out:
            return self.left_out[answering]
        return next(filter(None, self.left_out.values()), "")


class RecordsReader:
    """Reads what is recorded of one partition of a dead-letter topic.

    Args:
        consumer: started, reading what is committed; it is assigned what is read.
        topic: of the records.
        tp: partition of the dead-letter topic.
        topic_id: of that topic; empty: the brokers name none.
    """

    def __init__(
        self, consumer: Any, topic: RecordsTopic, tp: TopicPartition, topic_id: str
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._tp = tp
        self._topic_id = topic_id
        self._end = 0
        """Of the partition, as far as it had to be asked for."""

    async def read(self) -> Recorded:
        """Return what all records say.

        All partitions are read. A record is in the one with its input's number, less how many there are,
        and there may have been fewer.

        Raises:
            BrokerError: somebody else's transaction hides what was recorded last.
        """
        await self._settled()
        consumer, topic = self._consumer, self._topic.partitions
        consumer.assign(topic)
        ends = await consumer.end_offsets(topic)
        for tp, begin in (await consumer.beginning_offsets(topic)).items():
            consumer.seek(tp, begin)
        key = record_key(self._tp).encode()
        found = Recorded()
        async for record in read_to_end(consumer, ends):
            if record.key == key:
                await self._take(record, found)
        return found

    async def _settled(self) -> None:
        topic = self._topic
        try:
            async with asyncio.timeout(topic.patience_seconds):
                await settled(self._consumer, topic.written, topic.partitions)
        except TimeoutError:
            raise BrokerError(
                f"a transaction is open in {topic.name}, and what replays recorded after it began "
                "cannot be read",
                "replay when it has ended; `kafka-transactions.sh find-hanging` names one that never will",
            ) from None

    async def _take(self, record: ConsumerRecord, found: Recorded) -> None:
        """Add what a record says: one that does not fit is left out, and said."""
        place = TopicPartition(record.topic, record.partition)
        found.left_out[place] = ""
        try:
            event = decode(ReplayProgress, record.value)
            if (event.topic, event.partition) != self._tp:
                raise WrongShape("it is about another partition than its key")
            if event.topic_id and self._topic_id and event.topic_id != self._topic_id:
                found.former.add(event.position)
                return
            if not await self._fits(event, record):
                found.former.add(event.position)
                raise WrongShape(
                    f"there was no position {event.position:,} when it was written: it may be of a "
                    "former topic of the name"
                )
        except (ContractError, ValueError, RecursionError) as error:
            reason = str(error)[:_LONGEST]
            found.left_out[place] = (
                f"the last record of it, {place.topic}[{place.partition}] at {record.offset}, "
                f"does not count: {reason}"
            )
            _log.warning(
                "replay_record_left_out",
                partition=f"{place.topic}[{place.partition}]",
                offset=record.offset,
                reason=reason,
            )
            return
        progress = Reached(event.position, Left(event.left))
        found.known = progress if found.known is None else found.known.both(progress)

    async def _fits(self, event: ReplayProgress, record: ConsumerRecord) -> bool:
        """Tell whether the topic had a position when its record was written."""
        if event.position > self._end:
            # Asked for after the record was read: what it tells of is within it.
            self._end = (await self._consumer.end_offsets([self._tp]))[self._tp]
        if event.position > self._end:
            return False
        if event.topic_id and self._topic_id:
            return True
        # No id tells topics apart. In a new one letters before the position are younger than the record.
        # A client that fetches nothing is asked: another would have to wait behind each fetch.
        times = {self._tp: record.timestamp + _CLOCKS_MS}
        younger = (await self._topic.written.offsets_for_times(times))[self._tp]
        return younger is None or bool(younger.offset >= event.position)
