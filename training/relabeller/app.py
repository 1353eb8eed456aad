"""The relabeller: a consumer group over `reviews.relabel`, exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from stream.exactly_once.assignment import PartitionProcessors, by_processor, group_consumer
from stream.exactly_once.message import Message
from stream.exactly_once.options import MemberOptions
from stream.exactly_once.partition_processor import PartitionBatch
from stream.exactly_once.transactions import Transactions
from stream.kafka import connection as kafka
from stream.kafka.group_members import require_member
from stream.kafka.size_limits import message_bytes
from stream.kafka.stopping import unless_stopped
from stream.kafka.topics import require_topics
from stream.settings import Settings
from stream.web.health import HealthServer
from stream.worker.dead_letters import DeadLetterMaker, too_large_for
from stream.worker.group_member import member_options
from training.relabeller.decided import DecidedReviews
from training.relabeller.deciding import Decider, Decision, open_decider
from training.relabeller.input import RelabelRecord, decode_task
from training.relabeller.messages import messages
from training.relabeller.metrics import RelabellerMetrics

_POLL_MS: Final = 500
# A batch may wait for an LLM, and that for its next attempt.
_STALL_SECONDS: Final = 600.0
# Labels are read in milliseconds. Whoever is to end waits so long for them, and finishes the batch.
_GRACE_SECONDS: Final = 1.0
# Outcomes that a task may have, beside being bad.
_LEFT: Final = "people"

_log = structlog.get_logger(__name__)


class Relabeller:
    """One member of the relabeller group. :meth:`run` it once.

    What the cascade decides goes to ``reviews.labels`` and the category topic in the transaction
    that commits the task's offset. What it does not decide is only committed: the review queue has
    every task that no label answers.

    Args:
        settings: all options.
        decider: the cascade; opened from the settings unless given.
    """

    def __init__(self, settings: Settings, decider: Decider | None = None) -> None:
        self.settings = settings
        self.outcomes: Counter[str] = Counter()
        """Committed tasks by outcome: "ensemble", "llm", "people", "dead-letter"."""
        self._decider = decider
        self._opened = ExitStack()
        # One thread for all of them: the file of the LLM's kept answers belongs to its thread.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cascade")
        self.metrics = RelabellerMetrics()
        names = settings.topic_names
        outputs = (names.labels, names.dead_letter, *names.categories)
        self._options = relabeller_options(settings)
        transactions = Transactions(self._options.transactions, outputs)
        self._limits = transactions.limits
        self._dead_letters = DeadLetterMaker(
            names.dead_letter, settings.label.group, settings.worker.name, (), self._limits
        )
        self.partitions = PartitionProcessors(self._options, transactions, self.metrics, self._fail)
        http = settings.http.model_copy(update={"port": settings.label.http_port})
        option = "REVIEWS_LABEL__HTTP_PORT"
        self.health = HealthServer(http, self.metrics.registry, self._checks, option)
        self._decided = DecidedReviews(settings)
        self._failure: asyncio.Future[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; what is on its way then is finished.

        Raises:
            ReviewsError: there is no ensemble, no broker answers or it refuses us, a topic is
                absent, or the health port is in use.
        """
        async with self.health:
            await self._run(stop)

    @property
    def ready(self) -> bool:
        """Whether the group has given us our partitions and all of them are being published."""
        return all(self._checks().values())

    def _checks(self) -> dict[str, bool]:
        return {
            "ensemble loaded": self._decider is not None,
            "consumer group joined": self.partitions.joined,
            "partitions open": self.partitions.all_open,
            **self.partitions.progress(),
        }

    async def _run(self, stop: asyncio.Event) -> None:
        self._failure = asyncio.get_running_loop().create_future()
        consumer = group_consumer(self._options)
        try:
            await self._open()
            # A broker that takes the connection and says nothing holds up nobody who wants to end.
            await unless_stopped(self._connect(consumer), stop)
            if not stop.is_set():
                self._join(consumer)
                await self._work_until(stop, consumer)
        finally:
            await self.partitions.close()
            await consumer.stop()
            await self._decided.stop()
            await self._in_thread(self._opened.close)
            self._thread.shutdown(wait=False)
        _log.info("relabeller_stopped", **self.outcomes)

    async def _open(self) -> None:
        if self._decider is None:
            opening = open_decider(self.settings)
            self._decider = await self._in_thread(self._opened.enter_context, opening)
        self.metrics.decides(self._decider.ensemble)

    async def _connect(self, consumer: AIOKafkaConsumer) -> None:
        await kafka.start(consumer, self.settings.kafka)
        names = self.settings.topic_names
        needed = [names.relabel, names.labels, names.dead_letter, *names.categories]
        require_topics(needed, await consumer.topics())
        await self._decided.start()

    def _join(self, consumer: AIOKafkaConsumer) -> None:
        self.partitions.attach(consumer)
        consumer.subscribe([self.settings.topic_names.relabel], listener=self.partitions)
        assert self._decider is not None  # noqa: S101 - run() opened it
        _log.info(
            "relabeller_started",
            group=self.settings.label.group,
            health_port=self.health.port,
            ensemble=self._decider.ensemble.version,
            ensemble_fitted=str(self._decider.ensemble.fitted),
        )

    async def _work_until(self, stop: asyncio.Event, consumer: AIOKafkaConsumer) -> None:
        assert self._failure is not None  # noqa: S101 - run() made it
        working = asyncio.create_task(self._work(consumer, stop), name="relabel")
        try:
            await asyncio.wait([working, self._failure], return_when=asyncio.FIRST_COMPLETED)
            for ended in (self._failure, working):
                if ended.done():
                    ended.result()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _work(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        rows = self.settings.label.batch_rows
        while not stop.is_set():
            require_member(consumer)
            try:
                await self.partitions.pass_markers()
                polled = await consumer.getmany(timeout_ms=_POLL_MS, max_records=rows)
            except KafkaError as error:
                _log.warning("poll_failed", error=repr(error))
                await asyncio.sleep(_POLL_MS / 1000)
                continue
            self.partitions.measure()
            taken: list[RelabelRecord] = []
            for tp, records in polled.items():
                # Without an open processor the events are void: it seeks back once it is open.
                if (processor := self.partitions.get(tp)) is not None:
                    found = [decode_task(processor, record) for record in records]
                    processor.add_in_flight(len(found), sum(task.held for task in found))
                    taken += found
            if taken and await self._know_decided(stop):
                await self._publish(taken)

    async def _know_decided(self, stop: asyncio.Event) -> bool:
        """Read what people decided meanwhile, however long the broker is away.

        Returns:
            Whether that is known. If not, we are to end, and the next owner takes up what was taken.
        """
        while True:
            try:
                return await unless_stopped(self._decided.refresh(), stop, _GRACE_SECONDS)
            except TopicAuthorizationFailedError as error:
                raise kafka.unreachable(self.settings.kafka, error) from None
            except KafkaError as error:
                _log.warning("labels_not_read", error=repr(error))
            if stop.is_set():
                return False
            await asyncio.sleep(_POLL_MS / 1000)

    async def _publish(self, taken: list[RelabelRecord]) -> None:
        undecided = {
            record: record.task
            for record in taken
            if record.task is not None and record.task.review.review_id not in self._decided
        }
        assert self._decider is not None  # noqa: S101 - run() opened it
        with self.metrics.decision_seconds.time():
            found = await self._in_thread(self._decider.decide, list(undecided.values()))
        decisions: dict[RelabelRecord, Decision | None] = dict(zip(undecided, found, strict=True))
        for processor, records in by_processor(taken).items():
            await processor.publish(self._partition_batch(records, decisions))

    def _partition_batch(
        self, records: list[RelabelRecord], decisions: dict[RelabelRecord, Decision | None]
    ) -> PartitionBatch:
        now, names = datetime.now(UTC), self.settings.topic_names
        codebook = self.settings.queue.codebook_version
        outgoing: list[Message] = []
        outcomes: Counter[str] = Counter()
        for record in records:
            decision = decisions.get(record)
            decided: list[Message] = []
            if record.task is not None and decision is not None:
                decided = messages(record.task, decision, names, codebook, now)
                self._check_size(record, decided)
            if record.rejection is not None:
                outgoing.append(self._dead_letters.message(record, record.rejection))
                outcomes["dead-letter"] += 1
            elif decision is None:
                outcomes[_LEFT] += 1
            else:
                outgoing += decided
                outcomes[decision.decided_by] += 1

        def count(_seconds: float) -> None:
            self.outcomes.update(outcomes)
            self.metrics.committed(outcomes)
            _log.info("relabelled", **outcomes)

        return PartitionBatch(records, outgoing, count)

    def _check_size(self, record: RelabelRecord, decided: list[Message]) -> None:
        """Reject what a topic would not take: both messages or none are published."""
        for message in decided:
            size = message_bytes(message.key, message.value, message.headers)
            if not self._limits.allows(message.topic, size):
                record.rejection = too_large_for(message.topic, size)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, function, *arguments)

    def _fail(self, error: BaseException) -> None:
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)


def relabeller_options(settings: Settings) -> MemberOptions:
    """Return how a relabeller takes part in its group: as a worker, with more patience."""
    label, options = settings.label, member_options(settings)
    return replace(
        options,
        transactions=replace(
            options.transactions,
            group=label.group,
            timeout_ms=label.transaction_timeout_ms,
            shared=False,
        ),
        stall_seconds=max(options.stall_seconds, _STALL_SECONDS),
    )


async def run_relabeller(settings: Settings, stop: asyncio.Event) -> Counter[str]:
    """Relabel until ``stop`` is set; return what became of the tasks.

    Raises:
        ReviewsError: see :meth:`Relabeller.run`.
    """
    relabeller = Relabeller(settings)
    await relabeller.run(stop)
    return relabeller.outcomes
