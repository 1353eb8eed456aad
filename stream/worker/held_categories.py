"""The categories that a worker publishes nothing as, because the guard holds them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import GuardDecision
from stream.guard.holds import Holds
from stream.guard.sealing import DecisionSeal, warn_if_anybody_decides
from stream.guard.topic import take, take_all
from stream.kafka.whole_topic import reading_whole
from stream.settings import Settings
from stream.worker.input_event import InputEvent
from stream.worker.metrics import WorkerMetrics

_RETRY_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class HeldCategories:
    """Follows ``reviews.guard``.

    Args:
        settings: connection, topic names, the guard's mode and key.
        metrics: show what is held.
    """

    def __init__(self, settings: Settings, metrics: WorkerMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self.is_followed = settings.guard.mode == "hold"
        self._holds = Holds(DecisionSeal(settings.guard, settings.topics.prefix))
        self._by_version: dict[str, frozenset[int]] = {}
        self.has_read = not self.is_followed
        """Whether everything that was decided before we came is known."""

    def of(self, model_version: str) -> frozenset[int]:
        """Return the ids of the categories of a model that are held."""
        return self._by_version.get(model_version, frozenset())

    def withhold(self, events: Iterable[InputEvent]) -> None:
        """Take back the decisions that would publish something as a category that is held."""
        for event in events:
            if event.sure and event.model is not None:
                event.category_held = event.best in self.of(event.model.version)
                event.sure = not event.category_held

    def notes(self) -> Iterator[str]:
        """Yield what a person should know of what is held, one line each."""
        for one in self._holds.all_held():
            yield f"{one.category} of model {one.model_version} is held: `reviews guard` says why"

    async def catch_up(self) -> None:
        """Read what was decided before we came, however long it takes.

        A worker that does not know what is held must not publish: it might be just that.
        """
        warn_if_anybody_decides(self._settings.guard)
        while self.is_followed and not self.has_read:
            try:
                async with self._reading() as (consumer, tp):
                    await self._catch_up(consumer, tp)
            # As with models: broken batches raise more than Kafka's own errors.
            except Exception as error:  # noqa: BLE001
                _log.warning("guard_not_read", error=repr(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def run(self) -> None:
        """Follow decisions until cancelled. What is held stays held while no broker answers."""
        while True:
            try:
                async with self._reading() as (consumer, tp):
                    await self._catch_up(consumer, tp)
                    async for record in consumer:
                        self._note(take(self._holds, record.value, record.offset))
            except Exception as error:  # noqa: BLE001 - likewise
                _log.warning("guard_not_followed", error=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)

    def _reading(self) -> AbstractAsyncContextManager[tuple[AIOKafkaConsumer, TopicPartition]]:
        return reading_whole(self._settings.kafka, self._settings.topic_names.guard)

    async def _catch_up(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        for decision in await take_all(self._holds, consumer, tp):
            self._note(decision)
        self.has_read = True

    def _note(self, decision: GuardDecision | None) -> None:
        if decision is None:
            return
        version = decision.model_version
        self._by_version[version] = frozenset(c.id for c in self._holds.held(version))
        is_held = decision.action == "held"
        self._metrics.category_held.labels(decision.category.slug, version).set(is_held)
        _log.warning(
            f"category_{decision.action}",
            category=decision.category.slug,
            model=version,
            number=decision.number,
            by=decision.decided_by,
        )
