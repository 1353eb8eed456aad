"""A backfill is a worker of a group of its own, from a time on, onto topics with a suffix.

All that holds for a worker holds for it: outcomes and position are one transaction, a killed one
goes on where it was, several share the partitions. The live topics are only read.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.kafka.clients import group_reader
from stream.kafka.connection import start, unreachable
from stream.kafka.offsets import committed_offset
from stream.kafka.topic_creation import create_topics
from stream.kafka.topics import partitions_of
from stream.model.classifier import Classifier
from stream.settings import Settings
from stream.worker.app import Worker

_POLL_SECONDS: Final = 0.2
_FETCH_MS: Final = 500


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What a backfill had to do.

    Attributes:
        events: between where it begins and where the topic ended, an upper bound: transaction
            markers count too.
        resumed: an earlier run had begun; its position counts, not the time.
        topics: where outcomes go.
    """

    events: int
    resumed: bool
    topics: tuple[str, ...]


def _of_its_worker(settings: Settings) -> Settings:
    """Return settings under which a worker does a backfill: a group of its own, one model, no port."""
    group = f"{settings.topics.prefix}.backfill{settings.topics.output_suffix}"
    return settings.model_copy(
        update={
            "worker": settings.worker.model_copy(update={"group": group}),
            # The model is the one that was asked for, whatever is announced meanwhile.
            "model": settings.model.model_copy(update={"watch": False}),
            "http": settings.http.model_copy(update={"enabled": False}),
        }
    )


class Backfill:
    """Reprocesses what came in since a time, up to what is there when it starts.

    Events that arrive while it runs may be taken along.

    Args:
        settings: with the suffix of the topics that outcomes go to; it names the run, too.
        since: time of the first event (Kafka's timestamp), with a time zone.
    """

    def __init__(self, settings: Settings, since: datetime) -> None:
        self._settings = _of_its_worker(settings)
        self._since_ms = int(since.timestamp() * 1000)
        self._first: dict[TopicPartition, int] = {}
        self._targets: dict[TopicPartition, int] = {}

    async def plan(self) -> BackfillReport:
        """Find out what there is to do; changes nothing.

        Raises:
            BrokerError: Kafka cannot be reached or refuses us.
            TopicMissing: the incoming topic does not exist.
        """
        names, group = self._settings.topic_names, self._settings.worker.group
        partitions = await partitions_of(self._settings.kafka, names.incoming)
        consumer = self._consumer()
        await start(consumer, self._settings.kafka)
        try:
            consumer.assign(partitions)
            consumer.pause(*partitions)
            ends = await consumer.end_offsets(partitions)
            found = await consumer.offsets_for_times(dict.fromkeys(partitions, self._since_ms))
            resumed = False
            for tp in partitions:
                committed = await committed_offset(consumer, group, tp)
                resumed |= committed is not None
                begin = ends[tp] if found[tp] is None else found[tp].offset
                self._first[tp] = begin if committed is None else committed
            for tp in partitions:
                self._targets[tp] = await self._after_last(consumer, tp, ends[tp])
        except (KafkaError, OSError) as error:
            raise unreachable(self._settings.kafka, error) from None
        finally:
            await consumer.stop()
        events = sum(max(self._targets[tp] - at, 0) for tp, at in self._first.items())
        return BackfillReport(events, resumed, (*names.outputs(), names.batches))

    async def run(self, classifier: Classifier) -> BackfillReport:
        """Reprocess, and return once all is committed.

        Raises:
            ReviewsError: as :meth:`plan`, and as :meth:`~stream.worker.app.Worker.run`.
        """
        report = await self.plan()
        await create_topics(self._settings)
        consumer = self._consumer()
        await start(consumer, self._settings.kafka)
        try:
            consumer.assign(list(self._first))
            consumer.pause(*self._first)
            if not report.resumed:
                await consumer.commit(self._first)
            await self._work_until_done(consumer, classifier)
        except (KafkaError, OSError) as error:
            raise unreachable(self._settings.kafka, error) from None
        finally:
            await consumer.stop()
        return report

    async def _work_until_done(self, consumer: Any, classifier: Classifier) -> None:
        stop = asyncio.Event()
        working = asyncio.create_task(Worker(self._settings, classifier).run(stop))
        try:
            # The broker tells nobody of a commit: it must be asked.
            while not working.done() and not await self._done(consumer):
                await asyncio.wait({working}, timeout=_POLL_SECONDS)
        finally:
            stop.set()
            await working

    async def _done(self, consumer: Any) -> bool:
        group = self._settings.worker.group
        for tp, target in self._targets.items():
            committed = await committed_offset(consumer, group, tp)
            if (committed or 0) < target:
                return False
        return True

    async def _after_last(self, consumer: Any, tp: TopicPartition, end: int) -> int:
        """Return the offset after the last event before ``end``: markers are never committed."""
        step = 1
        while (at := max(end - step, self._first[tp])) < end:
            consumer.seek(tp, at)
            consumer.resume(tp)
            last = -1
            while await consumer.position(tp) < end:
                found = await consumer.getmany(tp, timeout_ms=_FETCH_MS)
                last = max([last, *(r.offset for r in found.get(tp, ()) if r.offset < end)])
            consumer.pause(tp)
            if last >= 0:
                return last + 1
            if at == self._first[tp]:
                break
            step *= 4
        return self._first[tp]

    def _consumer(self) -> AIOKafkaConsumer:
        return group_reader(self._settings.kafka, self._settings.worker.group)
