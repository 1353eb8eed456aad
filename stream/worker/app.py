"""The worker: stages that overlap, one bounded queue between each two.

::

    intake ─► BatchQueue ─► prepare ─► queue(1) ─► classify ─► queue(1) ─► dispatch ─► partition processors
    poll,      token         cache                  model in               route       one
    decode     budget        MGET                   threads                batches      transaction
                                                                                       a partition
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from stream.containers import limits
from stream.errors import TopicMissing
from stream.exactly_once.assignment import PartitionProcessors, by_processor, group_consumer
from stream.exactly_once.partition_processor import PartitionBatch, PartitionProcessor
from stream.exactly_once.transactions import Transactions
from stream.kafka import connection as kafka
from stream.kafka.group_members import require_member
from stream.kafka.presence import tell_of_outages
from stream.kafka.stopping import cancel_until_over, unless_stopped
from stream.model.beginning import model_to_begin_with
from stream.model.classifier import Classifier
from stream.schema_registry import KnownSchemas, incoming_reader
from stream.settings import Settings
from stream.tracing import open_tracing
from stream.web.health import HealthServer
from stream.worker.after_commit import AfterCommit
from stream.worker.cache import PredictionCache
from stream.worker.classification import Classification, Classified, Prepared
from stream.worker.gc_tuning import tuned_gc
from stream.worker.group_member import member_options
from stream.worker.held_categories import HeldCategories
from stream.worker.input_event import InputEvent, decode_event
from stream.worker.metrics import WorkerMetrics
from stream.worker.microbatch import BatchQueue, MicroBatcher
from stream.worker.models import ModelWatcher, ServedModels
from stream.worker.outgoing import OutgoingMessages
from stream.worker.summary import Timings

if TYPE_CHECKING:
    from stream.tracing.spans import Tracing

# getmany() returns as soon as there is anything; this only bounds how long shutdown waits for it.
POLL_MS: Final = 500
# Decoded in one go, about 8 ms of the event loop: transactions under way must get their turns.
POLL_RECORDS: Final = 256
# Of a quarter of a megabyte of nested Avro, one takes a second: so few lie between two turns for heartbeats.
_DECODED_AT_ONCE: Final = 4
_TURN_SECONDS: Final = 0.02
# Full micro-batches that may be on their way at a time, mostly as messages that wait for a commit.
# More would not be faster, and each partition may hold eight: with 64 partitions, a gigabyte.
MAX_BATCHES_IN_FLIGHT: Final = 16
# And their bytes: an event may have a quarter of a megabyte, and what is no event two.
MAX_BYTES_IN_FLIGHT: Final = 64 * 1024 * 1024
_ROOM_POLL_SECONDS: Final = 0.005

_log = structlog.get_logger(__name__)


class Worker:
    """One member of the consumer group. :meth:`run` it once.

    Args:
        settings: all options.
        classifier: the model to begin with.
        tracing: where spans go; none are made unless given.
        transactions: makes producers and recoveries; those of the settings unless given.
    """

    def __init__(
        self,
        settings: Settings,
        classifier: Classifier,
        tracing: Tracing | None = None,
        transactions: Transactions | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = WorkerMetrics()
        self.models = ServedModels(classifier)
        self._failure: asyncio.Future[None] | None = None
        self._cache = PredictionCache(settings.cache, self.metrics)
        self._classification = Classification(self.models, self._cache, self.metrics)
        privacy = settings.privacy
        self._redacted = privacy.redact_kinds if privacy.redact_stored else ()
        registry = settings.schema_registry
        self._schemas = KnownSchemas(registry) if registry.url else None
        self.metrics.schema_registry_lost.set_function(lambda: float(not self._registry_answers))
        self._reader = incoming_reader(settings.incoming, self._schemas)
        self._after_commit = AfterCommit(
            settings, self.models, self._cache, self.metrics, self._reader, tracing
        )
        names = settings.topic_names
        options = member_options(settings)
        transactions = transactions or Transactions(
            options.transactions, (*names.outputs(), names.batches)
        )
        self._watcher = ModelWatcher(settings, self.models, self.metrics, self._show_model)
        self.held_categories = HeldCategories(settings, self.metrics)
        self._options = options
        self.partitions = PartitionProcessors(options, transactions, self.metrics, self._fail)
        self._outgoing = OutgoingMessages(
            settings,
            redacted=self._redacted,
            limits=transactions.limits,
            portion=lambda: self.partitions.portion,
        )
        self._batches = BatchQueue[InputEvent](
            MicroBatcher(
                settings.worker.batch_tokens,
                settings.worker.batch_rows,
                cost=lambda event: event.cost,
            ),
            settings.worker.linger_ms / 1000,
        )
        self._prepared: asyncio.Queue[Prepared] = asyncio.Queue(1)
        self._classified: asyncio.Queue[asyncio.Task[Classified]] = asyncio.Queue(1)
        self.health = HealthServer(
            settings.http, self.metrics.registry, self._checks, notes=self._notes
        )
        self._show_model()

    @property
    def ready(self) -> bool:
        """Whether the group has given us our partitions and all of them are being published."""
        return all(self._checks().values())

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then drain.

        Raises:
            BrokerError: no broker answers, a topic is absent, or the broker refuses us.
            ModelError: the model stopped working.
            PortTaken: the health port is in use.
        """
        async with self.health:
            consumer = group_consumer(self._options)
            try:
                # A broker that takes the connection and says nothing holds up nobody who wants to end.
                await unless_stopped(kafka.start(consumer, self.settings.kafka), stop)
                if not stop.is_set():
                    await self._check_topics(consumer)
                    if self.settings.model.watch:
                        await self._learn_models(stop)
                    await unless_stopped(self.held_categories.catch_up(), stop)
                    await self.serve(consumer, stop)
            finally:
                await consumer.stop()
                await self.close()
        _log.info("worker_stopped")

    async def serve(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        """Answer what a started member of the group reads, until ``stop`` is set; then drain.

        Raises:
            BrokerError: the broker refuses us.
            ModelError: the model stopped working.
        """
        self._failure = asyncio.get_running_loop().create_future()
        self.partitions.attach(consumer)
        consumer.subscribe([self.settings.topic_names.incoming], listener=self.partitions)
        _log.info(
            "worker_started",
            health_port=self.health.port,
            machine=limits().described(),
            **self._describe(),
        )
        try:
            await self._run_stages(consumer, stop)
        finally:
            await self.partitions.close()

    async def close(self) -> None:
        """Let go of the inference threads and the cache."""
        await self._after_commit.close()
        self._classification.close()
        await self._cache.close()
        if self._schemas is not None:
            await self._schemas.close()

    async def _learn_models(self, stop: asyncio.Event) -> None:
        """Load what was announced before we came, unless we are to stop meanwhile."""
        if not self._watcher.signed:
            _log.warning(
                "announced_models_need_no_signature",
                advice="`reviews model keygen`, then REVIEWS_MODEL__TRUSTED_KEYS",
            )
        await unless_stopped(self._watcher.catch_up(), stop)

    async def _check_topics(self, consumer: AIOKafkaConsumer) -> None:
        names = self.settings.topic_names
        followed = {names.guard} if self.held_categories.is_followed else frozenset[str]()
        missing = (names.of_workers() | followed) - await consumer.topics()
        if missing:
            raise TopicMissing(
                f"topics are absent: {', '.join(sorted(missing))}",
                "create them with `reviews topics create`, or correct REVIEWS_TOPICS__PREFIX or __INCOMING",
            )

    async def _run_stages(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        assert self._failure is not None  # noqa: S101 - serve() made it
        intake = asyncio.create_task(self._intake(consumer), name="intake")
        stages = [
            asyncio.create_task(stage(), name=stage.__name__.strip("_"))
            for stage in (self._prepare, self._classify, self._dispatch)
        ]
        if self.settings.model.watch:
            stages.append(asyncio.create_task(self._watcher.run(), name="model watcher"))
        if self.held_categories.is_followed:
            following = self.held_categories.run()
            stages.append(asyncio.create_task(following, name="guard follower"))
        stopping = asyncio.create_task(stop.wait(), name="stop")
        outages = asyncio.create_task(tell_of_outages(self.settings.kafka), name="outages")
        try:
            endings: list[asyncio.Future[Any]] = [intake, *stages, stopping, self._failure]
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
            for ended in (self._failure, intake, *stages):
                if ended.done():
                    ended.result()
            # All stages still run, so that what is on its way is committed. The intake, too: what it
            # waits to hand on is counted already, and closing processors take nothing more in.
            await self.partitions.close()
        finally:
            await cancel_until_over((intake, *stages, stopping, outages))

    async def _intake(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            while not self._has_room:  # noqa: ASYNC110 - any of many partitions makes room
                await asyncio.sleep(_ROOM_POLL_SECONDS)
            require_member(consumer)
            try:
                await self.partitions.pass_markers()
                polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            except KafkaError as error:
                _log.warning("poll_failed", error=repr(error))
                await asyncio.sleep(POLL_MS / 1000)
                continue
            self.partitions.measure()
            now = time.monotonic()
            readers = {tp: self._reader_of(tp) for tp in polled}
            if self._schemas is not None:
                await self._schemas.learn_patiently(r for rs in polled.values() for r in rs)
            events: list[InputEvent] = []
            for tp, records in polled.items():
                events += await self._decoded(tp, records, readers[tp], now)
            await self._batches.put(events)

    async def _decoded(
        self,
        tp: TopicPartition,
        records: Sequence[ConsumerRecord],
        reader: tuple[PartitionProcessor, int] | None,
        arrived: float,
    ) -> list[InputEvent]:
        """Decode what was read of a partition, and count it as on its way."""
        events: list[InputEvent] = []
        began = time.monotonic()
        for first in range(0, len(records), _DECODED_AT_ONCE):
            # Without an open processor the events are void: it seeks back once it is open. So it does
            # if it was opened anew while a schema or a turn was waited for.
            if reader is None or self._reader_of(tp) != reader:
                break
            processor, _ = reader
            taken = [
                decode_event(processor, r, arrived, redacted=self._redacted, reader=self._reader)
                for r in records[first : first + _DECODED_AT_ONCE]
            ]
            processor.add_in_flight(len(taken), sum(event.held for event in taken))
            events += taken
            if time.monotonic() - began > _TURN_SECONDS:
                await asyncio.sleep(0)
                began = time.monotonic()
        return events

    @property
    def _registry_answers(self) -> bool:
        return self._schemas is None or self._schemas.failure is None

    def _reader_of(self, tp: TopicPartition) -> tuple[PartitionProcessor, int] | None:
        """Return a partition's processor and how often it began to read anew; None: none reads."""
        processor = self.partitions.get(tp)
        return None if processor is None else (processor, processor.epoch)

    @property
    def _has_room(self) -> bool:
        most = MAX_BATCHES_IN_FLIGHT * self.settings.worker.batch_rows
        return self.partitions.in_flight < most and self.partitions.held < MAX_BYTES_IN_FLIGHT

    async def _prepare(self) -> None:
        while True:
            events = [event for event in await self._batches.take() if not event.stale]
            if events:
                await self._prepared.put(await self._classification.prepare(events))

    async def _classify(self) -> None:
        try:
            async with asyncio.TaskGroup() as running:
                while True:
                    prepared = await self._prepared.get()
                    batch = running.create_task(self._classification.classify(prepared))
                    # In this order they are published, whichever is ready first.
                    await self._classified.put(batch)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _dispatch(self) -> None:
        while True:
            batch = await (await self._classified.get())
            processors = by_processor(batch.events)
            parts = [
                (processor, self._partition_batch(events, batch.timings))
                for processor, events in processors.items()
            ]
            await asyncio.gather(*(processor.publish(part) for processor, part in parts))
            if self._prepared.empty():  # a shadow must not slow a busy worker down
                await self._classification.shadow(batch.events)

    def _partition_batch(self, events: list[InputEvent], timings: Timings) -> PartitionBatch:
        """Return what one transaction publishes for events of a partition, and what follows its commit."""
        self.held_categories.withhold(events)
        serving, refused = self.models.serving.version, self._watcher.refusals.get("serving")
        messages = [
            *self._outgoing.outcomes(events),
            *self._outgoing.summaries(
                events, serving, timings, refused.version if refused else None
            ),
        ]
        return PartitionBatch(events, messages, partial(self._after_commit.note, events))

    def _notes(self) -> Iterator[str]:
        yield from self._watcher.notes()
        yield from self.held_categories.notes()

    def _checks(self) -> dict[str, bool]:
        return {
            "model loaded": True,
            "consumer group joined": self.partitions.joined,
            "partitions open": self.partitions.all_open,
            "guard's decisions known": self.held_categories.has_read,
            "schema registry answers": self._registry_answers,
            **self.partitions.progress(),
        }

    def _describe(self) -> dict[str, object]:
        model = self.models.serving
        return {"model": model.version, "device": model.device, "group": self.settings.worker.group}

    def _show_model(self) -> None:
        model = self.models.serving
        self.metrics.model.info({"version": model.version, "device": model.device})

    def _fail(self, error: BaseException) -> None:
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)


async def run_worker(
    settings: Settings, *, stop: asyncio.Event, classifier: Classifier | None = None
) -> None:
    """Load the model and work until ``stop`` is set.

    Raises:
        ReviewsError: what is wrong and what to do; see :meth:`Worker.run` and
            :func:`~stream.model.beginning.model_to_begin_with`.
    """
    if classifier is None:
        classifier = await model_to_begin_with(settings)
    tracing = open_tracing(settings, "reviews-worker", share=1.0)  # as the producers sampled
    try:
        with tuned_gc():
            await Worker(settings, classifier, tracing).run(stop)
    finally:
        if tracing is not None:
            await tracing.close()
