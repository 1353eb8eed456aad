"""Kafka into the working set: following three topics, and restoring everything from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from schemas import ContractError, Judgement, Label, RelabelTask, decode, review_id_of
from stream.errors import BrokerError
from stream.kafka.clients import observer
from stream.kafka.connection import start
from stream.kafka.growth import new_partitions
from stream.kafka.topic_ids import topic_ids
from stream.kafka.topics import partitions_of
from stream.queue.errors import Rebuilding
from stream.queue.filing import LEADER_SECONDS, Filing, Lost, RecordKind
from stream.queue.records import TaskRecord, judgement_record, label_record
from stream.queue.restorations import LONG_PAUSE_SECONDS, Restorations
from stream.settings import Settings

# One script call takes about 3 ms for so many: nobody waits longer than that for intake.
_CHUNK: Final = 50
_POLL_MS: Final = 250
_RETRY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Intake:
    """Keeps the working set up to date; of several servers, one at a time does it.

    Positions live in Redis, in the same atom as what was filed from them. If Redis is emptied, they
    are gone too, and everything is read again; if it is rolled back, so are they.

    Args:
        settings: connection, topics, shares.
        filing: the working set.
        name: this server's, for the lead.
    """

    def __init__(self, settings: Settings, filing: Filing, name: str) -> None:
        self._settings = settings
        self._filing = filing
        self._name = name
        self._second_share = settings.queue.second_share
        names = settings.topic_names
        # The order of a restore: what was decided, then what is left of the questions.
        self._kinds: dict[str, RecordKind] = {
            names.judgements: "judgement",
            names.labels: "label",
            names.relabel: "task",
        }
        self._partitions: dict[str, list[TopicPartition]] = {}
        self._positions: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._ids_asked_at = 0.0
        self._led_at = 0.0
        self._restorations = Restorations()
        self._ends: dict[TopicPartition, int] = {}
        self.following = False
        """This server leads, and what was on Kafka when it began is filed."""
        self.is_current = False
        """What was on Kafka when this server began is filed, by this server or by another one."""
        self.unreadable = 0
        """Records left out because they break the contract."""

    async def run(self, stop: asyncio.Event) -> None:
        """File records until ``stop`` is set. Outages of Kafka and Redis are waited out."""
        while not stop.is_set():
            try:
                if await self._lead():
                    await self._work(stop)
                elif not self.is_current:
                    self.is_current = await self._is_filed_by_another()
            except Lost as lost:
                _log.warning("working_set_lost", partition=str(lost))
                if not self._restorations.are_too_many:
                    continue
            except Rebuilding:
                # It was said what is wrong. If Redis evicts, it will be so again: not all the time.
                _log.warning("working_set_begun_anew")
            except (BrokerError, KafkaError, RedisError, OSError) as error:
                _log.warning("intake_interrupted", error=repr(error))
            finally:
                self.following = False
            seconds = _RETRY_SECONDS
            if self._restorations.are_too_many:
                seconds = LONG_PAUSE_SECONDS
                _log.error(
                    "restored_too_often",
                    retry_in=seconds,
                    remedy="something takes away what the queue keeps in Redis: see the lines before",
                )
            await _pause(stop, seconds)
        try:
            await self._filing.resign(self._name)
        except (RedisError, OSError):
            _log.info("lead_not_resigned")

    async def _lead(self) -> bool:
        self._led_at = time.monotonic()
        return await self._filing.lead(self._name)

    async def _work(self, stop: asyncio.Event) -> None:
        consumer = observer(self._settings.kafka)
        await start(consumer, self._settings.kafka)
        try:
            await self._find_partitions()
            # What another key has sealed is of no use to us: it is as good as absent.
            ours = await self._filing.sealed_by_us()
            self._positions = await self._filing.positions() if ours else {}
            self._ids = await topic_ids(consumer, self._kinds)
            if recreated := await self._filing.recreated(self._ids):
                _log.warning(
                    "topics_recreated",
                    topics=recreated,
                    consequence="what was filed from them is forgotten; all that Kafka holds is read",
                )
                self._positions = {}
            missing = await self._missing(consumer)
            # Whoever led before may have been gone for long: what was decided since must not be
            # asked again.
            new = bool(recreated) or not ours
            if new or any(missing.values()) or not await self._filing.is_ready():
                await self._restore(consumer, missing, stop)
            else:
                await self._filing.note_topics(self._ids)
            self._assign(consumer, self._kinds)
            self.following = not stop.is_set()
            self.is_current = self.is_current or self.following
            while not stop.is_set():
                await self._check_lead()
                await self._file(await consumer.getmany(timeout_ms=_POLL_MS))
                await self._file_markers(consumer)
                if await self._is_another(consumer):
                    return
                if added := new_partitions(consumer, self._kinds):
                    # Begun again, it files what they hold; what is filed stays as it is.
                    names = [_name(tp) for tp in added]
                    _log.info("partitions_added", partitions=names)
                    return
        finally:
            await consumer.stop()

    async def _is_another(self, consumer: Any) -> bool:
        """Return whether a topic was deleted, and perhaps made anew; asked as often as metadata."""
        now = time.monotonic()
        if now - self._ids_asked_at < self._settings.kafka.metadata_max_age_ms / 1000:
            return False
        self._ids_asked_at = now
        return await topic_ids(consumer, self._kinds) != self._ids

    async def _find_partitions(self) -> None:
        found = await partitions_of(self._settings.kafka, *self._kinds)
        self._partitions = {t: [tp for tp in found if tp.topic == t] for t in self._kinds}

    @property
    def _everything(self) -> list[TopicPartition]:
        return [tp for topic in self._kinds for tp in self._partitions[topic]]

    async def _missing(self, consumer: Any) -> dict[TopicPartition, int]:
        """Return, by partition, how many offsets of what Kafka holds now are not filed."""
        begins = await consumer.beginning_offsets(self._everything)
        self._ends = await consumer.end_offsets(self._everything)
        return {
            tp: max(0, end - max(begins[tp], int(self._positions.get(_name(tp), 0))))
            for tp, end in self._ends.items()
        }

    async def _is_filed_by_another(self) -> bool:
        """Return whether the leading server has filed what was on Kafka when this one began."""
        if not self._ends:
            await self._find_partitions()
            consumer = observer(self._settings.kafka)
            await start(consumer, self._settings.kafka)
            try:
                self._ends = await consumer.end_offsets(self._everything)
            finally:
                await consumer.stop()
        positions = await self._filing.positions()
        return all(int(positions.get(_name(tp), 0)) >= end for tp, end in self._ends.items())

    async def _check_lead(self) -> None:
        """Notice at once when Redis is emptied or another one's, even while Kafka is quiet."""
        if not await self._filing.is_ready():
            raise Lost("ready")
        if not await self._filing.sealed_by_us():
            raise Lost("seal")
        if time.monotonic() - self._led_at > LEADER_SECONDS / 3 and not await self._lead():
            raise Lost("lead")

    async def _restore(
        self, consumer: Any, missing: dict[TopicPartition, int], stop: asyncio.Event
    ) -> None:
        """File everything up to now, topic after topic, then open the queue."""
        started = time.monotonic()
        if self._positions:
            await self._filing.close()
        else:
            self._restorations.begin()
            await self._filing.clear()
        await self._filing.note_topics(self._ids)
        ends, total, done = self._ends, sum(missing.values()), 0
        await self._filing.show_progress(0, total)
        for topic in self._kinds:
            self._assign(consumer, [topic])
            left = {tp for tp in self._partitions[topic] if missing[tp]}
            while left and not stop.is_set():
                found = await consumer.getmany(timeout_ms=_POLL_MS, max_records=2000)
                await self._file(found)
                await self._file_markers(consumer)
                if not await self._lead():
                    raise Lost("lead")
                left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
                done += sum(len(records) for records in found.values())
                await self._filing.show_progress(min(done, total), total)
        if not stop.is_set():
            await self._filing.set_ready()
            _log.info("working_set_restored", records=done, seconds=time.monotonic() - started)

    def _assign(self, consumer: Any, topics: Sequence[str] | dict[str, RecordKind]) -> None:
        partitions = [tp for topic in topics for tp in self._partitions[topic]]
        consumer.assign(partitions)
        for tp in partitions:
            if position := self._positions.get(_name(tp)):
                consumer.seek(tp, int(position))

    async def _file(self, found: dict[TopicPartition, list[ConsumerRecord]]) -> None:
        for topic, kind in self._kinds.items():
            for tp, records in found.items():
                if tp.topic != topic:
                    continue
                for i in range(0, len(records), _CHUNK):
                    await self._file_chunk(kind, tp, records[i : i + _CHUNK])

    async def _file_markers(self, consumer: Any) -> None:
        """Move past what is no record: the ends of transactions, and what was compacted away.

        Else nobody could tell from the positions that everything is filed.
        """
        for tp in consumer.assignment():
            known, now = self._positions.get(_name(tp), ""), await consumer.position(tp)
            if now > int(known or 0):
                await self._filing.consume(self._kinds[tp.topic], _name(tp), known, now, [])
                self._positions[_name(tp)] = str(now)

    async def _file_chunk(
        self, kind: RecordKind, tp: TopicPartition, records: Sequence[ConsumerRecord]
    ) -> None:
        following = records[-1].offset + 1
        records = await self._erase(records)
        if kind == "task":
            arguments = await self._tasks(records)
        else:
            arguments = self._decisions(kind, tp, records)
        expected = self._positions.get(_name(tp), "")
        await self._filing.consume(kind, _name(tp), expected, following, arguments)
        self._positions[_name(tp)] = str(following)

    async def _erase(self, records: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
        """Forget what tombstones name; return the records that none of them follows."""
        erased = {record.key: record.offset for record in records if record.value is None}
        for key in erased:
            if (review_id := review_id_of(key)) is not None:
                await self._filing.erase(review_id)
        return [r for r in records if r.value is not None and r.offset > erased.get(r.key, -1)]

    def _decisions(
        self, kind: RecordKind, tp: TopicPartition, records: Sequence[ConsumerRecord]
    ) -> list[str]:
        arguments: list[str] = []
        seal = self._filing.seal
        for record in records:
            try:
                if kind == "label":
                    arguments.append(label_record(decode(Label, record.value), seal))
                else:
                    judgement = decode(Judgement, record.value)
                    share = self._second_share
                    arguments.append(
                        judgement_record(judgement, _name(tp), record.offset, share, seal)
                    )
            except ContractError as error:
                self._leave_out(record, error)
        return arguments

    async def _tasks(self, records: Sequence[ConsumerRecord]) -> list[str]:
        tasks: list[RelabelTask] = []
        for record in records:
            try:
                tasks.append(decode(RelabelTask, record.value))
            except ContractError as error:
                self._leave_out(record, error)
        answered = await self._filing.answered([task.review.review_id for task in tasks])
        # Shingles and hashes cost 0.2 ms a text: in a thread, so that pages are served meanwhile.
        open_ones = await asyncio.to_thread(_task_records, tasks, answered)
        clusters = await self._filing.clusters(open_ones)
        return [
            argument
            for task, cluster in zip(open_ones, clusters, strict=True)
            for argument in task.arguments(cluster, self._filing.seal)
        ]

    def _leave_out(self, record: ConsumerRecord, error: ContractError) -> None:
        self.unreadable += 1
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        _log.warning("unreadable_event_left_out", where=where, error=str(error))


def _task_records(tasks: Sequence[RelabelTask], answered: dict[str, str]) -> list[TaskRecord]:
    return [
        record
        for task in tasks
        if (record := TaskRecord.of(task, answered.get(task.review.review_id))) is not None
    ]


def _name(tp: TopicPartition) -> str:
    return f"{tp.topic}:{tp.partition}"


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
