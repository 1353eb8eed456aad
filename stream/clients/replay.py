"""Putting dead letters back where they came from, each exactly once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from stream.clients.consumer import DeadLetter, dead_letter
from stream.errors import BrokerError
from stream.kafka import connection_options, start, unreachable
from stream.reading import BoundedConsumer
from stream.settings import Settings
from stream.topics_admin import partitions_of
from stream.worker.answers import Fenced
from stream.worker.routing import Message
from stream.worker.size_limits import RecordsTooLarge, SizeLimits, message_bytes
from stream.worker.takeover import Takeover
from stream.worker.transactions import LaneProducer

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


class DeadLetterReplay:
    """Re-publishes dead letters to the incoming topic: original bytes, key and headers.

    Messages and the position reached are one Kafka transaction per batch, under one transactional
    id per partition, as in the worker: a crash repeats nothing, and of two replays at once the
    older is fenced. It ends at what was there when it started, so that a letter that dies again is
    not chased in circles.

    Args:
        settings: connection and topics.
        limit: most letters to replay; all unless given.
        dry_run: count, and change nothing.
        on_progress: called with the report as it grows.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        limit: int | None = None,
        dry_run: bool = False,
        on_progress: Callable[[ReplayReport], None] | None = None,
    ) -> None:
        self._names = settings.topic_names
        self.group = f"{settings.topics.prefix}.replay"
        worker = settings.worker.model_copy(update={"group": self.group})
        self._settings = settings.model_copy(update={"worker": worker})
        self._limit = limit
        self._dry_run = dry_run
        self._on_progress = on_progress
        self._report = ReplayReport()
        self._limits = SizeLimits()

    async def run(self) -> ReplayReport:
        """Replay everything since the last replay.

        Raises:
            BrokerError: Kafka cannot be reached, or another replay took over.
            TopicMissing: the dead-letter or the incoming topic does not exist.
        """
        kafka = self._settings.kafka
        letters = await partitions_of(kafka, self._names.dead_letter)
        await partitions_of(kafka, self._names.incoming)
        consumer = BoundedConsumer(
            **connection_options(kafka),
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        await start(consumer, kafka)
        try:
            await self._replay_all(consumer, letters)
        except Fenced:
            raise BrokerError(
                "another replay took over", "let it finish; nothing was sent twice"
            ) from None
        except (KafkaError, TimeoutError) as error:
            raise unreachable(kafka, error) from None
        finally:
            await consumer.stop()
        return self._report

    async def _replay_all(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        ends = await consumer.end_offsets(partitions)
        for tp in partitions:
            if not self._complete:
                await self._replay_partition(consumer, tp, ends[tp])

    async def _replay_partition(self, consumer: Any, tp: TopicPartition, end: int) -> None:
        if self._dry_run:
            consumer.assign([tp])
            await self._read(consumer, tp, end, None)
            return
        while True:
            try:
                await self._replay_partition_once(consumer, tp, end)
            except RecordsTooLarge as error:
                # Nothing of the batch was sent. It is made anew, without what was too large.
                self._limits.refused(error)
            else:
                return

    async def _replay_partition_once(self, consumer: Any, tp: TopicPartition, end: int) -> None:
        producer = LaneProducer(self._settings, tp, self._limits)
        try:
            # It settles what a crashed replay left open, and says what was really sent.
            begin = await Takeover(tp, consumer, self.group, [self._names.incoming]).by(producer)
            consumer.assign([tp])
            consumer.seek(tp, begin)
            await self._read(consumer, tp, end, producer)
        finally:
            await producer.discard()

    async def _read(
        self, consumer: Any, tp: TopicPartition, end: int, producer: LaneProducer | None
    ) -> None:
        while not self._complete and await consumer.position(tp) < end:
            most = _BATCH
            if self._limit is not None:
                most = min(most, self._limit - self._report.replayed)
            found = await consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=most)
            records = [r for r in found.get(tp, []) if r.offset < end]
            if not records:
                continue
            ours = [letter for r in records if (letter := self._ours(r)) is not None]
            whole = [letter for letter in ours if letter.reason.cut is None]
            messages = [m for letter in whole if self._fits(m := self._message(letter))]
            if producer is not None:
                await producer.commit(messages, records[-1].offset + 1)
            self._count(
                replayed=len(messages),
                cut=len(ours) - len(whole),
                too_large=len(whole) - len(messages),
                foreign=len(records) - len(ours),
            )

    @property
    def _complete(self) -> bool:
        return self._limit is not None and self._report.replayed >= self._limit

    def _fits(self, message: Message) -> bool:
        size = message_bytes(message.key, message.value, message.headers)
        return self._limits.allows(message.topic, size)

    def _count(self, *, replayed: int, cut: int, too_large: int, foreign: int) -> None:
        self._report.replayed += replayed
        self._report.cut += cut
        self._report.too_large += too_large
        self._report.foreign += foreign
        if self._on_progress is not None:
            self._on_progress(self._report)

    def _ours(self, record: ConsumerRecord) -> DeadLetter | None:
        try:
            letter = dead_letter(record)
        except (KeyError, ValueError):
            return None
        # A header must not be able to choose the topic that we write to.
        return letter if letter.reason.source.topic == self._names.incoming else None

    def _message(self, letter: DeadLetter) -> Message:
        return Message(self._names.incoming, letter.key, letter.value, letter.headers)
