"""The worker: stages that overlap, one bounded queue between each two.

::

    intake ─► BatchQueue ─► prepare ─► queue(1) ─► classify ─► queue(1) ─► dispatch ─► lanes
    poll,      token         cache                  model in               route       one
    decode     budget        MGET                   threads                slices      transaction
                                                                                       a partition
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from schemas import all_categories, cloud_event, encode
from stream.errors import TopicMissing
from stream.exactly_once.assignment import Lanes, by_lane, lanes_consumer
from stream.exactly_once.message import Message
from stream.exactly_once.partition_processor import Slice
from stream.kafka import connection as kafka
from stream.kafka.size_limits import SizeLimits
from stream.model.classifier import Classifier
from stream.sampling import AUDIT, in_sample
from stream.settings import Settings
from stream.tracing import open_tracing
from stream.web.health import HealthServer
from stream.worker.cache import CachedPrediction, PredictionCache
from stream.worker.classification import Classification, Classified, Prepared
from stream.worker.gc_tuning import seldom_collected
from stream.worker.input_event import Work, take_in
from stream.worker.metrics import WorkerMetrics
from stream.worker.microbatch import BatchQueue, MicroBatcher
from stream.worker.models import ModelWatcher, ServedModels
from stream.worker.outcome_log import log_outcomes
from stream.worker.routing import Router
from stream.worker.summary import Timings, summarize

if TYPE_CHECKING:
    from stream.tracing.spans import Tracing

# getmany() returns as soon as there is anything; this only bounds how long shutdown waits for it.
POLL_MS: Final = 500
# Decoded in one go, about 8 ms of the event loop: transactions under way must get their turns.
POLL_RECORDS: Final = 256
# Full micro-batches that may be on their way at a time, mostly as messages that wait for a commit.
# More would not be faster, and each lane may hold eight: with 64 lanes, a gigabyte.
MAX_BATCHES_IN_FLIGHT: Final = 16
# And their bytes: an event may have a quarter of a megabyte, and what is no event two.
MAX_BYTES_IN_FLIGHT: Final = 64 * 1024 * 1024
_ROOM_POLL_SECONDS: Final = 0.005
# Answers that may wait for Redis at a time. Beyond, they are not cached: memory stays bounded.
MAX_CACHE_WRITES: Final = 32

_log = structlog.get_logger(__name__)
# Not to be foreseen: a producer that knew the sample would choose ids that are never in it.
_AUDIT_HERE: Final = f"{AUDIT}:{secrets.token_hex(16)}"


class Worker:
    """One member of the consumer group. :meth:`run` it once.

    Args:
        settings: all options.
        classifier: the model to begin with.
        tracing: where spans go; none are made unless given.
    """

    def __init__(
        self, settings: Settings, classifier: Classifier, tracing: Tracing | None = None
    ) -> None:
        self.settings = settings
        self._tracing = tracing
        self._log_every = settings.log.level == "debug"
        self.metrics = WorkerMetrics()
        self.models = ServedModels(classifier)
        self._failure: asyncio.Future[None] | None = None
        self._cache = PredictionCache(settings.cache, self.metrics)
        self._classification = Classification(self.models, self._cache, self.metrics)
        privacy = settings.privacy
        self._redacted = privacy.redact_kinds if privacy.redact_stored else ()
        self._reader = settings.incoming.reader()
        limits = SizeLimits()
        self._router = Router(
            settings.topic_names,
            settings.worker.group,
            settings.worker.name,
            redacted=self._redacted,
            limits=limits,
        )
        self._watcher = ModelWatcher(settings, self.models, self.metrics, self._show_model)
        names = settings.topic_names
        outputs = (*names.outputs(), names.batches)
        self._lanes = Lanes(settings, self.metrics, self._fail, outputs, limits)
        self._batches = BatchQueue[Work](
            MicroBatcher(
                settings.worker.batch_tokens,
                settings.worker.batch_rows,
                cost=lambda work: work.cost,
            ),
            settings.worker.linger_ms / 1000,
        )
        self._prepared: asyncio.Queue[Prepared] = asyncio.Queue(1)
        self._classified: asyncio.Queue[asyncio.Task[Classified]] = asyncio.Queue(1)
        self._cache_writes: set[asyncio.Task[None]] = set()
        self.health = HealthServer(
            settings.http, self.metrics.registry, self._checks, notes=self._watcher.notes
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
        self._failure = asyncio.get_running_loop().create_future()
        async with self.health:
            consumer = lanes_consumer(self.settings)
            await kafka.start(consumer, self.settings.kafka)
            try:
                await self._check_topics(consumer)
                if self.settings.model.watch:
                    await self._learn_models(stop)
                self._lanes.attach(consumer)
                consumer.subscribe([self.settings.topic_names.incoming], listener=self._lanes)
                _log.info("worker_started", health_port=self.health.port, **self._describe())
                await self._run_stages(consumer, stop)
            finally:
                await self._lanes.close()
                await consumer.stop()
                await self._close()
        _log.info("worker_stopped")

    async def _learn_models(self, stop: asyncio.Event) -> None:
        """Load what was announced before we came, unless we are to stop meanwhile."""
        if not self._watcher.signed:
            _log.warning(
                "announced_models_need_no_signature",
                advice="`reviews model keygen`, then REVIEWS_MODEL__TRUSTED_KEYS",
            )
        tasks = [asyncio.create_task(self._watcher.catch_up()), asyncio.create_task(stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _check_topics(self, consumer: AIOKafkaConsumer) -> None:
        names = self.settings.topic_names
        missing = {names.incoming, names.batches, *names.outputs()} - await consumer.topics()
        if missing:
            raise TopicMissing(
                f"topics are absent: {', '.join(sorted(missing))}",
                "create them with `reviews topics create`",
            )

    async def _run_stages(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        assert self._failure is not None  # noqa: S101 - run() made it
        intake = asyncio.create_task(self._intake(consumer), name="intake")
        stages = [
            asyncio.create_task(stage(), name=stage.__name__.strip("_"))
            for stage in (self._prepare, self._classify, self._dispatch)
        ]
        if self.settings.model.watch:
            stages.append(asyncio.create_task(self._watcher.run(), name="model watcher"))
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            endings: list[asyncio.Future[Any]] = [intake, *stages, stopping, self._failure]
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
            for ended in (self._failure, intake, *stages):
                if ended.done():
                    ended.result()
            # All stages still run, so that what is on its way is committed. The intake, too: what it
            # waits to hand on is counted already, and closing lanes take nothing more in.
            await self._lanes.close()
        finally:
            for task in (intake, *stages, stopping):
                task.cancel()
            await asyncio.gather(intake, *stages, stopping, return_exceptions=True)

    async def _intake(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            while not self._has_room:  # noqa: ASYNC110 - any of many lanes makes room
                await asyncio.sleep(_ROOM_POLL_SECONDS)
            try:
                await self._lanes.pass_markers()
                polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            except KafkaError as error:
                _log.warning("poll_failed", error=repr(error))
                await asyncio.sleep(POLL_MS / 1000)
                continue
            self._lanes.measure()
            now = time.monotonic()
            works: list[Work] = []
            for tp, records in polled.items():
                # Without an open lane the events are void: it seeks back when it opens.
                if (lane := self._lanes.get(tp)) is not None:
                    taken = [
                        take_in(lane, r, now, redacted=self._redacted, reader=self._reader)
                        for r in records
                    ]
                    lane.took_in(len(taken), sum(work.held for work in taken))
                    works += taken
            await self._batches.put(works)

    @property
    def _has_room(self) -> bool:
        most = MAX_BATCHES_IN_FLIGHT * self.settings.worker.batch_rows
        return self._lanes.in_flight < most and self._lanes.held < MAX_BYTES_IN_FLIGHT

    async def _prepare(self) -> None:
        while True:
            works = [work for work in await self._batches.take() if not work.stale]
            if works:
                await self._prepared.put(await self._classification.prepare(works))

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
            lanes = by_lane(batch.works)
            parts = [(lane, self._slice(works, batch)) for lane, works in lanes.items()]
            await asyncio.gather(*(lane.publish(part) for lane, part in parts))
            if self._prepared.empty():  # a shadow must not slow a busy worker down
                await self._classification.shadow(batch.works)

    def _slice(self, works: list[Work], batch: Classified) -> Slice:
        now = datetime.now(UTC)
        messages = [self._router.route(work, now) for work in works if not work.deleted]
        messages += self._audits(works, now)
        by_model: dict[str, list[Work]] = {}
        for work in works:
            version = (work.model or self.models.serving).version
            by_model.setdefault(version, []).append(work)
        messages += [self._summary(part, v, batch.timings) for v, part in by_model.items()]
        return Slice(works, messages, self._committed(works))

    def _audits(self, works: list[Work], now: datetime) -> Iterator[Message]:
        """Yield the questions about a sample of what is published, and mark what is asked about."""
        share = self.settings.audit.share
        if not share or self.settings.topics.output_suffix:  # a backfill asks nobody
            return
        for work in works:
            if not work.sure or work.rejection is not None or work.review is None:
                continue
            if not in_sample(share, work.review.review_id, _AUDIT_HERE):
                continue
            if (question := self._router.audit(work, now)) is not None:
                work.audited = True
                yield question

    def _summary(self, works: list[Work], model_version: str, timings: Timings) -> Message:
        worker = self.settings.worker.name
        refusal = self._watcher.refusals.get("serving")
        refused = refusal.version if refusal else None
        summary = summarize(works, worker, model_version, timings, refused)
        event_id = f"{works[0].source}-{summary.last_offset}"
        headers = cloud_event(type(summary), event_id, worker, summary.processed_at)
        topic = self.settings.topic_names.batches
        return Message(topic, worker.encode(), encode(summary), headers)

    def _committed(self, works: list[Work]) -> Callable[[float], None]:
        def note(seconds: float) -> None:
            self._count(works, seconds)
            log_outcomes(works, every=self._log_every)
            if self._tracing is not None:
                self._trace(self._tracing, works)
            fresh: dict[str, dict[str, CachedPrediction]] = {}
            for work in works:
                if work.model is not None and not work.cached and work.prediction is not None:
                    fresh.setdefault(work.model.version, {})[work.fingerprint] = work.prediction
            for version, predictions in fresh.items():
                self._remember(self._cache.put(version, predictions))

        return note

    def _trace(self, tracing: Tracing, works: list[Work]) -> None:
        first = works[0]
        tracing.committed(
            first.lane.tp,
            self.settings.worker.group,
            (work.record.headers for work in works),
            time.monotonic() - first.arrived,
            {
                "messaging.batch.message_count": len(works),
                "messaging.kafka.offset": first.record.offset,
                "reviews.model.version": self.models.serving.version,
                "reviews.relabelled": sum(w.prediction is not None and not w.sure for w in works),
                "reviews.dead_letters": sum(w.rejection is not None for w in works),
                "reviews.cached": sum(w.cached for w in works),
            },
        )

    def _remember(self, write: Coroutine[Any, Any, None]) -> None:
        if len(self._cache_writes) >= MAX_CACHE_WRITES:
            write.close()
            return
        task = asyncio.create_task(write)
        self._cache_writes.add(task)
        task.add_done_callback(self._cache_writes.discard)

    def _count(self, works: list[Work], seconds: float) -> None:
        metrics = self.metrics
        metrics.transactions.labels("committed").inc()
        metrics.stage_seconds.labels("commit").observe(seconds)
        metrics.stage_seconds.labels("total").observe(time.monotonic() - works[0].arrived)
        oldest = min(work.record.timestamp for work in works) / 1000
        metrics.end_to_end_seconds.observe(max(time.time() - oldest, 0.0))
        slugs = all_categories()
        outcomes = Counter(_outcome(work, slugs) for work in works)
        for (route, label), count in outcomes.items():
            if route == "dead-letter":
                metrics.dead_letters.labels(label).inc(count)
            category = label if route in {"category", "relabel"} else ""
            metrics.reviews.labels(route, category).inc(count)
        for work in works:
            if work.strange is not None:
                metrics.strange.labels(work.strange).inc()
        metrics.unread_dates.inc(sum(work.unread_date for work in works))

    def _checks(self) -> dict[str, bool]:
        return {
            "model loaded": True,
            "consumer group joined": self._lanes.joined,
            "partitions open": self._lanes.all_open,
            **self._lanes.progress(),
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

    async def _close(self) -> None:
        if self._cache_writes:
            await asyncio.wait(self._cache_writes, timeout=1.0)
        self._classification.close()
        await self._cache.close()


def _outcome(work: Work, slugs: Sequence[str]) -> tuple[str, str]:
    """Return where an event went, and its category, or what was wrong with it."""
    if work.rejection is not None:
        return "dead-letter", work.rejection.code
    if work.deleted:
        return "deleted", ""
    return "category" if work.sure else "relabel", slugs[work.best]


async def run_worker(
    settings: Settings, *, stop: asyncio.Event, classifier: Classifier | None = None
) -> None:
    """Load the model and work until ``stop`` is set.

    Raises:
        ReviewsError: what is wrong and what to do; see :meth:`Worker.run` and
            :meth:`~stream.model.classifier.Classifier.load`.
    """
    if classifier is None:
        model = settings.model
        classifier = await asyncio.to_thread(
            Classifier.load, model.folder, model.device, model.threads, model.chunk_tokens
        )
    tracing = open_tracing(settings, "reviews-worker", share=1.0)  # as the producers sampled
    try:
        with seldom_collected():
            await Worker(settings, classifier, tracing).run(stop)
    finally:
        if tracing is not None:
            await tracing.close()
