"""What follows once a batch is committed: it is counted, logged, traced and remembered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from schemas import IncomingReader, all_categories
from stream.settings import Settings
from stream.worker.cache import CachedPrediction, PredictionCache
from stream.worker.input_event import InputEvent
from stream.worker.metrics import WorkerMetrics
from stream.worker.models import ServedModels
from stream.worker.outcome_log import log_outcomes

if TYPE_CHECKING:
    from stream.tracing.spans import Tracing

# Answers that may wait for Redis at a time. Beyond, they are not cached: memory stays bounded.
MAX_CACHE_WRITES: Final = 32
_CLOSE_SECONDS: Final = 1.0


class AfterCommit:
    """Tells of committed batches. Nothing here may fail a batch: it is published already.

    Args:
        settings: the group's name, and whether single decisions are logged.
        models: which one serves, for the spans.
        cache: takes new predictions.
        metrics: count the outcomes.
        reader: tells the id in what could not be read as a review.
        tracing: where spans go; none are made unless given.
    """

    def __init__(
        self,
        settings: Settings,
        models: ServedModels,
        cache: PredictionCache,
        metrics: WorkerMetrics,
        reader: IncomingReader,
        tracing: Tracing | None,
    ) -> None:
        self._group = settings.worker.group
        self._log_every = settings.log.level == "debug"
        self._models = models
        self._cache = cache
        self._metrics = metrics
        self._reader = reader
        self._tracing = tracing
        self._cache_writes: set[asyncio.Task[None]] = set()

    def note(self, events: Sequence[InputEvent], seconds: float) -> None:
        """Take note of events of one partition that were committed together.

        Args:
            events: at least one.
            seconds: that the commit took.
        """
        self._count(events, seconds)
        log_outcomes(events, self._reader, every=self._log_every)
        if self._tracing is not None:
            self._trace(self._tracing, events)
        self._remember(events)

    async def close(self) -> None:
        """Wait a moment for what is on its way to Redis."""
        if self._cache_writes:
            await asyncio.wait(self._cache_writes, timeout=_CLOSE_SECONDS)

    def _count(self, events: Sequence[InputEvent], seconds: float) -> None:
        metrics = self._metrics
        metrics.transactions.labels("committed").inc()
        metrics.stage_seconds.labels("commit").observe(seconds)
        metrics.stage_seconds.labels("total").observe(time.monotonic() - events[0].arrived)
        if dated := [e.record.timestamp for e in events if e.record.timestamp >= 0]:
            metrics.end_to_end_seconds.observe(max(time.time() - min(dated) / 1000, 0.0))
        slugs = all_categories()
        outcomes = Counter(_outcome(event, slugs) for event in events)
        for (route, label), count in outcomes.items():
            if route == "dead-letter":
                metrics.dead_letters.labels(label).inc(count)
            category = label if route in {"category", "relabel"} else ""
            metrics.reviews.labels(route, category).inc(count)
        for event in events:
            if event.strange is not None:
                metrics.strange.labels(event.strange).inc()
        metrics.unread_dates.inc(sum(event.unread_date for event in events))

    def _trace(self, tracing: Tracing, events: Sequence[InputEvent]) -> None:
        first = events[0]
        tracing.committed(
            first.owner.tp,
            self._group,
            (event.record.headers for event in events),
            time.monotonic() - first.arrived,
            {
                "messaging.batch.message_count": len(events),
                "messaging.kafka.offset": first.record.offset,
                "reviews.model.version": self._models.serving.version,
                "reviews.relabelled": sum(e.prediction is not None and not e.sure for e in events),
                "reviews.dead_letters": sum(e.rejection is not None for e in events),
                "reviews.cached": sum(e.cached for e in events),
            },
        )

    def _remember(self, events: Sequence[InputEvent]) -> None:
        fresh: dict[str, dict[str, CachedPrediction]] = {}
        for event in events:
            if event.model is not None and not event.cached and event.prediction is not None:
                fresh.setdefault(event.model.version, {})[event.fingerprint] = event.prediction
        for version, predictions in fresh.items():
            self._write(self._cache.put(version, predictions))

    def _write(self, write: Coroutine[Any, Any, None]) -> None:
        if len(self._cache_writes) >= MAX_CACHE_WRITES:
            write.close()
            return
        task = asyncio.create_task(write)
        self._cache_writes.add(task)
        task.add_done_callback(self._cache_writes.discard)


def _outcome(event: InputEvent, slugs: Sequence[str]) -> tuple[str, str]:
    """Return where an event went, and its category, or what was wrong with it."""
    if event.rejection is not None:
        return "dead-letter", event.rejection.code
    if event.deleted:
        return "deleted", ""
    return "category" if event.sure else "relabel", slugs[event.best]
