"""How far replays got in a partition of a dead-letter topic, as a topic of ours and the group remember it.

Brokers forget the offset of a group without members (``offsets.retention.minutes``, a week) long before
letters are deleted. The topic is compacted and keeps the last record of each partition. Replays of earlier
versions wrote the offset alone: it counts as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from schemas import (
    MAX_EVENT_BYTES,
    ContractError,
    ReplayProgress,
    WrongShape,
    cloud_event,
    decode,
    encode,
)
from stream.errors import BrokerError
from stream.exactly_once.message import Message
from stream.kafka.offsets import committed_note, committed_offset
from stream.kafka.read_to_end import read_to_end, settled
from stream.kafka.size_limits import RecordsTooLarge
from stream.kafka.topic_ids import topic_ids
from stream.operations.replay_choice import NOTE_TOO_LONG, Left

_ENDLESS: Final = 2**63
_LONGEST: Final = 200

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reached:
    """Which letters wait: all from a position on, and some before it."""

    position: int
    left: Left = field(default_factory=Left)

    def both(self, other: Reached) -> Reached:
        """Return what waits by both: a letter that was sent never waits again, whoever knows of it."""
        position = max(self.position, other.position)
        common = _common(self._waiting(), other._waiting(), position)
        return Reached(position, Left().replaced(0, position, common))

    def from_(self, beginning: int) -> Reached:
        """Return it on a topic that begins here."""
        return Reached(max(self.position, beginning), self.left.from_(beginning))

    def _waiting(self) -> list[tuple[int, int]]:
        return [*self.left, (self.position, _ENDLESS)]


def _common(
    ours: Sequence[tuple[int, int]], theirs: Sequence[tuple[int, int]], before: int
) -> Iterator[tuple[int, int]]:
    i = j = 0
    while i < len(ours) and j < len(theirs):
        first = max(ours[i][0], theirs[j][0])
        last = min(ours[i][1], theirs[j][1], before - 1)
        if first <= last:
            yield first, last
        if ours[i][1] < theirs[j][1]:
            i += 1
        else:
            j += 1


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


class ReplayMemory:
    """Remembers one partition of a dead-letter topic.

    Args:
        consumer: started; it is assigned what is read.
        group: whose offset counts as well.
        topic: of the records.
        tp: partition of the dead-letter topic.
    """

    def __init__(self, consumer: Any, group: str, topic: RecordsTopic, tp: TopicPartition) -> None:
        self._consumer = consumer
        self._group = group
        self._topic = topic
        self.tp = tp
        self._key = f"{tp.topic}/{tp.partition}"
        self._topic_id = ""

    async def recall(self) -> tuple[Reached | None, bool]:
        """Return how far replays got, None: nothing is known, and whether the topic says all of it.

        Transactions of former replays have to be settled before: what is open is not seen.

        Raises:
            BrokerError: somebody else's transaction hides what was recorded last.
        """
        ids = await topic_ids(self._consumer, [self.tp.topic])
        self._topic_id = ids.get(self.tp.topic, "")
        recorded = await self._recorded()
        committed = await self._committed(recorded)
        if recorded is None or committed is None:
            known = recorded or committed
        else:
            known = recorded.both(committed)
        return known, known is not None and known == recorded

    def message(self, progress: Reached) -> Message:
        """Return the record of how far a replay got.

        Raises:
            RecordsTooLarge: more is left, here and there, than one record holds.
        """
        event = ReplayProgress(
            topic=self.tp.topic,
            topic_id=self._topic_id,
            partition=self.tp.partition,
            position=progress.position,
            left=list(progress.left),
        )
        value = encode(event)
        if len(value) > MAX_EVENT_BYTES:
            raise RecordsTooLarge(self._topic.name, len(value), 1)
        moment = event.recorded_at
        event_id = f"{self._key}#{moment.isoformat()}"
        headers = cloud_event(ReplayProgress, event_id, self._key, moment)
        return Message(self._topic.name, self._key.encode(), value, headers)

    async def _recorded(self) -> Reached | None:
        """Return what all records say together: usually there is one that compaction has left.

        All partitions are read. A record is in the one with its input's number, less how many there are,
        and there may have been fewer.
        """
        await self._settled()
        consumer, topic = self._consumer, self._topic.partitions
        consumer.assign(topic)
        ends = await consumer.end_offsets(topic)
        for tp, begin in (await consumer.beginning_offsets(topic)).items():
            consumer.seek(tp, begin)
        key = self._key.encode()
        found = [record async for record in read_to_end(consumer, ends) if record.key == key]
        # Asked for afterwards: a record that was committed meanwhile is within it.
        end = (await consumer.end_offsets([self.tp]))[self.tp]
        known: Reached | None = None
        for record in found:
            progress = self._progress_in(record, end)
            if progress is not None:
                known = progress if known is None else known.both(progress)
        return known

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

    def _progress_in(self, record: ConsumerRecord, end: int) -> Reached | None:
        """Return what a record says; None: it does not count.

        Whatever anybody wrote there ends no replay: it is left out, and said. Of a former topic of the
        name there may be records, and they are no news.
        """
        try:
            event = decode(ReplayProgress, record.value)
            if (event.topic, event.partition) != self.tp:
                raise WrongShape("it is about another partition than its key")
            if event.topic_id and self._topic_id and event.topic_id != self._topic_id:
                return None
            if event.position > end:
                raise WrongShape(f"the position {event.position} is beyond the end, {end}")
        except (ContractError, ValueError, RecursionError) as error:
            _log.warning(
                "replay_record_left_out",
                partition=f"{record.topic}[{record.partition}]",
                offset=record.offset,
                reason=str(error)[:_LONGEST],
            )
            return None
        return Reached(event.position, Left(event.left))

    async def _committed(self, recorded: Reached | None) -> Reached | None:
        offset = await committed_offset(self._consumer, self._group, self.tp)
        if offset is None:
            return None
        note = await committed_note(self._consumer, self._group, self.tp)
        if note == NOTE_TOO_LONG:
            if recorded is not None:
                return None
            _log.warning(
                "left_letters_forgotten",
                partition=f"{self.tp.topic}[{self.tp.partition}]",
                before=offset,
                reason=f"{self._topic.name} has lost its record: letters before this offset that "
                "were left for a later replay are not sent",
            )
        return Reached(offset, Left.from_note(note).before(offset))
