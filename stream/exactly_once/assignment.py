"""The partition processors of a group member: opened and closed as partitions are assigned."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError

from stream.exactly_once.input_record import InputRecord
from stream.exactly_once.options import MemberOptions
from stream.exactly_once.partition_processor import PartitionProcessor
from stream.exactly_once.transactions import Transactions
from stream.kafka.clients import group_member
from stream.kafka.stopping import cancel_until_over

# Two members of one name throw each other out a few times a second. A rollout of many comes nowhere near.
_DOUBTED_ASSIGNMENTS: Final = 10
_DOUBTED_SECONDS: Final = 20.0

Read = TypeVar("Read", bound=InputRecord)

_log = structlog.get_logger(__name__)


class ProcessorMetrics(Protocol):
    """What partition processors count. Any: prometheus_client's labels are untyped in protocols."""

    lag: Any
    partitions: Any
    transactions: Any

    def forget_lag(self, partition: int) -> None:
        """Drop the lag of a partition that was given away."""


class PartitionProcessors(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Runs a processor for every assigned partition; drains and closes it before that is given away.

    Processors of partitions that stay go on undisturbed while the group deals them anew
    (:mod:`stream.kafka.cooperative`).

    Args:
        options: of this member of the group.
        transactions: makes producers and recoveries.
        metrics: where lag, transactions and the number of partitions go.
        on_failure: called when a processor ends with an error that it cannot recover from.
    """

    def __init__(
        self,
        options: MemberOptions,
        transactions: Transactions,
        metrics: ProcessorMetrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._options = options
        self._transactions = transactions
        self._metrics = metrics
        self._on_failure = on_failure
        self._consumer: AIOKafkaConsumer | None = None
        self._processors: dict[TopicPartition, PartitionProcessor] = {}
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._ending = False
        self._assigned_at: deque[float] = deque(maxlen=_DOUBTED_ASSIGNMENTS)
        self.joined = False
        """Whether the group has assigned partitions, or none, and did not take all of them back since."""

    def attach(self, consumer: AIOKafkaConsumer) -> None:
        """Name the consumer that processors seek, pause and resume."""
        self._consumer = consumer

    def get(self, tp: TopicPartition) -> PartitionProcessor | None:
        """Return the partition's processor, if it is ours and accepts events."""
        processor = self._processors.get(tp)
        return processor if processor is not None and processor.accepting else None

    def measure(self) -> None:
        """Note how far each partition is behind, as far as the last fetch tells."""
        if self._consumer is None:
            return
        for tp, processor in self._processors.items():
            self._measure_lag(tp)
            processor.still_for(waiting=self._waits(tp, processor))

    def _measure_lag(self, tp: TopicPartition) -> None:
        processor = self._processors.get(tp)
        if processor is None or self._consumer is None or self._end(tp) is None:
            return
        end = self._consumer.highwater(tp)
        if end is not None and processor.is_open:
            self._metrics.lag.labels(str(tp.partition)).set(max(end - processor.committed, 0))

    async def pass_markers(self) -> None:
        """Commit what is only the end of a transaction. Before a poll: all of the last is counted."""
        assert self._consumer is not None  # noqa: S101 - attach() comes first
        assigned = self._consumer.assignment()
        for tp, processor in tuple(self._processors.items()):
            if tp in assigned and processor.accepting and not processor.in_flight:
                with contextlib.suppress(IllegalStateError):  # a rebalance took it meanwhile
                    await processor.pass_to(await self._consumer.position(tp))

    def progress(self) -> dict[str, bool]:
        """Return a check of readiness: whether all partitions advance, and if not, which stand."""
        most = self._options.stall_seconds
        standing = {
            tp: still
            for tp, processor in self._processors.items()
            if (still := processor.still_for(waiting=self._waits(tp, processor))) > most
        }
        if not standing:
            return {"partitions advance": True}
        named = ", ".join(
            f"{tp.topic}[{tp.partition}] at {self._processors[tp].committed} for {still:.0f} s"
            for tp, still in sorted(standing.items())
        )
        return {f"partitions advance: {named}": False}

    def _end(self, tp: TopicPartition) -> int | None:
        """Return the last stable offset as of the last fetch; None: there was none."""
        consumer = self._consumer
        if consumer is None or tp not in consumer.assignment():
            return None
        end: int | None = consumer.last_stable_offset(tp)
        return end

    def _waits(self, tp: TopicPartition, processor: PartitionProcessor) -> bool:
        end = self._end(tp)
        return end is not None and end > processor.committed

    @property
    def all_open(self) -> bool:
        """Whether every assigned partition is being published."""
        return all(processor.is_open for processor in self._processors.values())

    @property
    def portion(self) -> float:
        """Share of the topic's partitions that are ours, 0 to 1; all of it while nobody knows."""
        if self._consumer is None:
            return 1.0
        counts = (self._consumer.partitions_for_topic(topic) for topic in self._topics())
        total = sum(len(partitions or ()) for partitions in counts)
        return min(len(self._processors) / total, 1.0) if total else 1.0

    def _topics(self) -> set[str]:
        return {tp.topic for tp in self._processors}

    @property
    def in_flight(self) -> int:
        """How many events of all processors were taken in and are not committed yet."""
        return sum(processor.in_flight for processor in self._processors.values())

    @property
    def held(self) -> int:
        """How many bytes they keep in memory."""
        return sum(processor.held for processor in self._processors.values())

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Open processors of new partitions, beside those that are open.

        It returns at once: the group must not wait for transactions to settle.
        """
        assert self._consumer is not None  # noqa: S101 - attach() comes first
        partitions = sorted(assigned)
        self._consumer.pause(*partitions)
        if self._ending:  # the group deals anew while we leave it: whoever stays takes them over
            return
        self._transactions.assigned(self._consumer, self._options.instance)
        for tp in partitions:
            processor = PartitionProcessor(
                tp,
                self._consumer,
                self._transactions,
                # A member that lost its partitions hears so by its next heartbeat.
                reopen_after_fence=2 * self._options.heartbeat_interval_ms / 1000,
                on_abort=self._count_abort,
                on_commit=partial(self._measure_lag, tp),
            )
            self._processors[tp] = processor
            task = asyncio.create_task(
                processor.run(), name=f"partition {tp.topic}[{tp.partition}]"
            )
            task.add_done_callback(self._processor_ended)
            self._tasks[tp] = task
        self._metrics.partitions.set(len(self._processors))
        self.joined = True
        _log.info("assigned", partitions=[tp.partition for tp in partitions])
        self._doubt_the_name()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Commit what is on its way, then let the processors go."""
        if partitions := [tp for tp in revoked if tp in self._processors]:
            _log.info("revoked", partitions=sorted(tp.partition for tp in partitions))
        self.joined = self.joined and len(partitions) < len(self._processors)
        await self.close(partitions)

    async def close(self, partitions: Iterable[TopicPartition] | None = None) -> None:
        """Drain and close these processors; or all, and open no others."""
        self._ending = self._ending or partitions is None
        wanted = list(self._processors if partitions is None else partitions)
        seconds = self._options.drain_seconds
        await asyncio.gather(*(self._processors[tp].drain(seconds) for tp in wanted))
        # A rebalance may close them while we end, or the other way round: who comes second finds none.
        tasks = [self._tasks.pop(tp) for tp in wanted if tp in self._tasks]
        for tp in wanted:
            self._processors.pop(tp, None)
            self._metrics.forget_lag(tp.partition)
        # A processor that outlives its partition would hold up the whole group.
        await cancel_until_over(tasks)
        self._metrics.partitions.set(len(self._processors))
        if partitions is None:
            await self._transactions.close()

    def _doubt_the_name(self) -> None:
        """Say that another member seems to have our name: to aiokafka that is an unknown error."""
        times, now = self._assigned_at, time.monotonic()
        times.append(now)
        often = len(times) == _DOUBTED_ASSIGNMENTS and now - times[0] < _DOUBTED_SECONDS
        if self._options.instance is not None and often:
            times.clear()
            _log.error(
                "instance_name_shared",
                instance=self._options.instance,
                assignments=_DOUBTED_ASSIGNMENTS,
                advice="give every worker its own REVIEWS_WORKER__INSTANCE, or none",
            )

    def _count_abort(self, outcome: str) -> None:
        self._metrics.transactions.labels(outcome).inc()

    def _processor_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)


def group_consumer(options: MemberOptions) -> AIOKafkaConsumer:
    """Return the group member, not started, whose partitions are processed."""
    return group_member(
        options.transactions.connection(),
        options.transactions.group,
        options.batch_max_bytes,
        client_id=options.name,
        group_instance_id=options.instance,
        session_timeout_ms=options.session_timeout_ms,
        heartbeat_interval_ms=options.heartbeat_interval_ms,
        # A member that drains must not be evicted for it.
        rebalance_timeout_ms=options.session_timeout_ms + int(options.drain_seconds * 2000),
        max_partition_fetch_bytes=options.fetch_max_bytes,
    )


def by_processor(events: Iterable[Read]) -> dict[PartitionProcessor, list[Read]]:
    """Group events by the processor that publishes them, in order; void ones are left out."""
    grouped: dict[PartitionProcessor, list[Read]] = {}
    for event in events:
        if not event.stale and isinstance(event.owner, PartitionProcessor):
            grouped.setdefault(event.owner, []).append(event)
    return grouped
