"""One pass of a replay over a partition of the dead-letter topic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Final

from aiokafka import ConsumerRecord

from stream.clients.consumer import DeadLetter, dead_letter
from stream.exactly_once.message import Message
from stream.exactly_once.transactional_producer import PartitionProducer
from stream.kafka.size_limits import SizeLimits, message_bytes
from stream.operations.replay_choice import Choice, mark_of
from stream.operations.replay_memory import ReplayMemory
from stream.operations.replay_progress import Reached

# A transaction of a few hundred small letters takes well under its time-out of 15 s.
_BATCH: Final = 200
_POLL_MS: Final = 500


@dataclass(slots=True)
class ReplayReport:
    """What a replay did, or would do."""

    replayed: int = 0
    cut: int = 0
    """Left out: only the beginning of the original is there. Where it stood, it may still be."""
    too_large: int = 0
    """Left out: the incoming topic does not take it, as it came in compressed."""
    foreign: int = 0
    """Left out: not a dead letter of ours, or from a topic that is not our incoming one."""
    left: int = 0
    """Not chosen: they wait for a later replay."""
    came_back: int = 0
    """Left: sent back before, and failed for the same reason."""


_COUNTS: Final = tuple(counter.name for counter in fields(ReplayReport))


@dataclass(slots=True)
class ReplayTask:
    """What a replay is about, and how far it got."""

    incoming: str
    """The topic that letters are sent back to."""
    choice: Choice
    limit: int | None
    """Most letters to send."""
    on_progress: Callable[[ReplayReport], None] | None = None
    limits: SizeLimits = field(default_factory=SizeLimits)
    report: ReplayReport = field(default_factory=ReplayReport)

    @property
    def most(self) -> int:
        """How many letters may be looked at in one go."""
        return _BATCH if self.limit is None else min(_BATCH, self.limit - self.report.replayed)

    @property
    def complete(self) -> bool:
        """Whether the limit is reached."""
        return self.limit is not None and self.report.replayed >= self.limit

    def count(self, counted: ReplayReport) -> None:
        """Add to the report."""
        for name in _COUNTS:
            setattr(self.report, name, getattr(self.report, name) + getattr(counted, name))
        if self.on_progress is not None:
            self.on_progress(self.report)

    def letter_in(self, record: ConsumerRecord) -> DeadLetter | None:
        """Return the dead letter; None: it is none of ours, or would go to another topic."""
        try:
            letter = dead_letter(record)
        except (KeyError, ValueError):
            return None
        # A header must not be able to choose the topic that we write to.
        return letter if letter.reason.source.topic == self.incoming else None

    def message(self, letter: DeadLetter) -> Message | None:
        """Return what is sent; None: the incoming topic does not take it."""
        message = Message(self.incoming, letter.key, letter.value, letter.headers)
        size = message_bytes(message.key, message.value, message.headers)
        return message if self.limits.allows(message.topic, size) else None


class PartitionReplay:
    """Sends back what waits since earlier replays, and what came after them.

    How far it got, and which letters before that it left, is committed with the messages: as a record of
    the memory, and as the group's offset and its note.

    Args:
        task: of the whole replay.
        consumer: of the group.
        end: where it ended when the replay began.
        memory: of the partition of the dead-letter topic.
        producer: of the partition; None: nothing is sent.
    """

    def __init__(
        self,
        task: ReplayTask,
        consumer: Any,
        end: int,
        memory: ReplayMemory,
        producer: PartitionProducer | None,
    ) -> None:
        self._task = task
        self._consumer = consumer
        self._tp = memory.tp
        self._end = end
        self._memory = memory
        self._producer = producer
        self._progress = Reached(0)
        """Of all replays."""
        self._at = 0
        """Of this pass."""
        self._sent_before: set[bytes] = set()
        self._waiting = ReplayReport()

    async def run(self, known: Reached | None, *, recorded: bool) -> None:
        """Replay, from what the memory knows.

        Args:
            known: how far replays got; None: nothing is known.
            recorded: whether the last record says all of it.
        """
        task, consumer, tp = self._task, self._consumer, self._tp
        beginning = (await consumer.beginning_offsets([tp]))[tp]
        self._progress = (known or Reached(beginning)).from_(beginning)
        if not recorded:  # what the group alone knows is forgotten one day
            await self._commit([])
        position = self._progress.position
        first = next((first for first, _ in self._progress.left), position)
        if first >= self._end:
            return
        # What came back is known by what was sent before: by all that stands before the position.
        self._at = first if task.choice.again else beginning
        consumer.assign([tp])
        consumer.seek(tp, self._at)
        while not task.complete and await consumer.position(tp) < self._end:
            found = await consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=task.most)
            if records := [r for r in found.get(tp, []) if r.offset < self._end]:
                await self._take(records)
        task.count(self._waiting)

    async def _take(self, records: list[ConsumerRecord]) -> None:
        counted = ReplayReport()
        messages: list[Message] = []
        waiting: list[tuple[int, int]] = []
        joins = False
        position, left = self._progress.position, self._progress.left
        for record in records:
            if record.offset < position and record.offset not in left:
                self._remember(record)
                joins = False
                continue
            message, waits = self._looked_at(record, counted)
            if message is not None:
                messages.append(message)
            if waits:
                begin = waiting.pop()[0] if joins else record.offset
                waiting.append((begin, record.offset))
            joins = waits
        last = records[-1].offset
        before = self._progress
        self._progress = Reached(max(position, last + 1), left.replaced(self._at, last, waiting))
        if self._progress != before:
            await self._commit(messages)
        self._at = last + 1
        self._task.count(counted)

    async def _commit(self, messages: list[Message]) -> None:
        if self._producer is None:
            return
        progress = self._progress
        sent = [*messages, self._memory.message(progress)]
        await self._producer.commit(sent, progress.position, progress.left.to_note())

    def _remember(self, record: ConsumerRecord) -> None:
        letter = self._task.letter_in(record)
        if letter is not None and letter.reason.cut is None:
            self._sent_before.add(mark_of(letter))

    def _looked_at(
        self, record: ConsumerRecord, counted: ReplayReport
    ) -> tuple[Message | None, bool]:
        """Return what is sent of a letter, and whether it waits for a later replay."""
        task = self._task
        letter = task.letter_in(record)
        if letter is None:
            counted.foreign += 1
        elif not task.choice.holds(letter):
            self._waiting.left += 1
            return None, True
        elif letter.reason.cut is not None:
            counted.cut += 1
        elif not task.choice.again and mark_of(letter) in self._sent_before:
            self._waiting.came_back += 1
            return None, True
        elif (message := task.message(letter)) is None:
            counted.too_large += 1
        else:
            counted.replayed += 1
            return message, False
        return None, False
