"""How far replays got in a partition of a dead-letter topic, as a topic of ours and the group remember it.

Brokers forget the offset of a group without members (``offsets.retention.minutes``, a week) long before
letters are deleted. The topic is compacted and keeps the last record of each partition. Replays of earlier
versions wrote the offset alone: it counts as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition

from schemas import MAX_EVENT_BYTES, ReplayProgress, cloud_event, encode
from stream.exactly_once.message import Message
from stream.kafka.offsets import committed_note, committed_offset
from stream.kafka.size_limits import RecordsTooLarge
from stream.kafka.topic_ids import topic_ids
from stream.operations.replay_choice import NOTE_TOO_LONG, Left
from stream.operations.replay_progress import Reached
from stream.operations.replay_records import Recorded, RecordsReader, RecordsTopic, record_key

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is known of former replays."""

    known: Reached | None
    """How far they got; None: nothing is known."""
    doubt: str = ""
    """Why they may have got further; empty: they have not."""
    recorded: bool = False
    """Whether the last record says all of it."""


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
        self._topic_id = ""

    async def recall(self) -> Recalled:
        """Return how far replays got.

        Transactions of former replays have to be settled before: what is open is not seen.

        Raises:
            BrokerError: somebody else's transaction hides what was recorded last.
        """
        ids = await topic_ids(self._consumer, [self.tp.topic])
        self._topic_id = ids.get(self.tp.topic, "")
        reader = RecordsReader(self._consumer, self._topic, self.tp, self._topic_id)
        recorded = await reader.read()
        unsure = recorded.doubt(self._topic.answering(self.tp))
        offset = await committed_offset(self._consumer, self._group, self.tp)
        if offset is None:
            known, doubt = recorded.known, unsure
        else:
            known, doubt = await self._committed(offset, recorded, unsure)
        if known is None and recorded.former and not doubt:
            _log.warning(
                "replay_records_of_another_topic",
                partition=f"{self.tp.topic}[{self.tp.partition}]",
                reason="the topic was made anew since: all that is in it counts as not sent",
            )
        same = known is not None and known == recorded.known and not unsure
        return Recalled(known, doubt, recorded=same)

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
        key = record_key(self.tp)
        moment = event.recorded_at
        headers = cloud_event(ReplayProgress, f"{key}#{moment.isoformat()}", key, moment)
        return Message(self._topic.name, key.encode(), value, headers)

    async def _committed(
        self, offset: int, recorded: Recorded, unsure: str
    ) -> tuple[Reached | None, str]:
        """Return what is known with the group's offset, and why there may be more.

        It was committed with the last record, or after it: what that one said is in it.
        """
        end = (await self._consumer.end_offsets([self.tp]))[self.tp]
        known = recorded.known
        behind = known is None or known.position < offset
        if behind and (offset > end or offset in recorded.former):
            return known, (
                f"the offset of the group {self._group}, {offset:,}, is that of a former topic of the name"
            )
        note = await committed_note(self._consumer, self._group, self.tp)
        if note != NOTE_TOO_LONG:
            committed = Reached(offset, Left.from_note(note).before(offset))
            return (committed if known is None else known.both(committed)), ""
        # Any letter before it may wait: the record knows.
        committed = Reached(offset, Left([(0, offset - 1)]).before(offset))
        if behind:
            unsure = (
                f"{self._topic.name} has lost the record of letters before {offset:,} that wait"
            )
        return (committed if known is None else known.both(committed)), unsure
