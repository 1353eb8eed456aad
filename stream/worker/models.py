"""The models that a worker serves, and how a newly announced one takes their place."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from schemas import ContractError, ModelAnnouncement, decode
from stream import kafka
from stream.classifier import Classifier
from stream.errors import ModelError
from stream.metrics import WorkerMetrics
from stream.model_folder import MANIFEST
from stream.reading import BoundedConsumer
from stream.settings import Settings

_HASH_SPACE: Final = 1 << 32
_RETRY_SECONDS: Final = 2.0
# Reading the topic takes milliseconds and loading a model seconds; a start must not hang on either.
_CATCH_UP_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class ServedModels:
    """The serving model, perhaps a canary for a share of the keys, perhaps a shadow.

    Whoever reads an attribute keeps that classifier for its whole micro-batch, so that a swap takes
    effect between two batches and never inside one.
    """

    def __init__(self, serving: Classifier) -> None:
        self.serving = serving
        self.canary: Classifier | None = None
        self.canary_share = 0.0
        self.shadow: Classifier | None = None

    def choose(self, review_id: str) -> Classifier:
        """Return the model for a review: the canary for its share of the ids, by hash."""
        if self.canary is None or key_share(review_id) >= self.canary_share:
            return self.serving
        return self.canary


def key_share(review_id: str) -> float:
    """Map an id to [0, 1), evenly and for ever the same (CRC-32)."""
    return zlib.crc32(review_id.encode("utf-8", "surrogatepass")) / _HASH_SPACE


class ModelWatcher:
    """Follows ``reviews.models`` and loads what is announced beside what is served.

    Args:
        settings: connection, topic names, device.
        models: where a loaded model is put.
        metrics: counts swaps and refusals.
        on_swap: called after the serving model changed.
    """

    def __init__(
        self,
        settings: Settings,
        models: ServedModels,
        metrics: WorkerMetrics,
        on_swap: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._models = models
        self._metrics = metrics
        self._on_swap = on_swap

    async def run(self) -> None:
        """Follow announcements until cancelled. Without the topic or a broker, wait for them."""
        while True:
            try:
                async with self._reading() as (consumer, tp):
                    await self._catch_up(consumer, tp)
                    async for record in consumer:
                        await self.apply(record.key, record.value)
            except UnknownTopicOrPartitionError:
                pass  # nobody has announced anything yet
            except (KafkaError, OSError) as error:
                _log.warning("models_not_followed", error=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)

    async def catch_up(self) -> None:
        """Load what was announced before we came, so that the first review gets the right model.

        Without an answer in time the worker goes on with the model that it has; :meth:`run`
        tries again.
        """
        try:
            async with asyncio.timeout(_CATCH_UP_SECONDS), self._reading() as (consumer, tp):
                await self._catch_up(consumer, tp)
        except UnknownTopicOrPartitionError:
            pass
        except (KafkaError, OSError) as error:  # TimeoutError is an OSError
            _log.warning("announced_models_not_read", error=repr(error))

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
        tp = TopicPartition(self._settings.topic_names.models, 0)
        consumer = BoundedConsumer(
            **kafka.connection_options(self._settings.kafka),
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            if tp.topic not in await consumer.topics():
                raise UnknownTopicOrPartitionError(tp.topic)
            consumer.assign([tp])
            consumer.seek(tp, (await consumer.beginning_offsets([tp]))[tp])
            yield consumer, tp
        finally:
            with contextlib.suppress(KafkaError):
                await consumer.stop()

    async def _catch_up(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        end = (await consumer.end_offsets([tp]))[tp]
        # Only the last word of each role counts.
        latest: dict[bytes | None, ConsumerRecord] = {}
        while await consumer.position(tp) < end:
            for record in (await consumer.getmany(timeout_ms=200)).get(tp, []):
                latest[record.key] = record
        for record in latest.values():
            await self.apply(record.key, record.value)

    async def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Load an announced model and put it in its role. A bad one is refused; the old serves on.

        Args:
            key: the role.
            value: a :class:`~schemas.ModelAnnouncement`; None ends a shadow or a canary.
        """
        if value is None:
            self._end(key)
            return
        try:
            announcement = decode(ModelAnnouncement, value)
            if self._is_in_place(announcement):
                return
            classifier = await asyncio.to_thread(self._load, announcement)
        except (ContractError, ModelError, OSError) as error:
            self._metrics.model_swaps.labels("refused").inc()
            _log.error("model_refused", reason=str(error), serving=self._models.serving.version)
            return
        self._put(announcement, classifier)
        self._metrics.model_swaps.labels("swapped").inc()
        _log.info("model_swapped", role=announcement.role, version=announcement.version)

    def _end(self, key: bytes | None) -> None:
        if key == b"canary":
            self._models.canary = None
        elif key == b"shadow":
            self._models.shadow = None
        else:
            return
        _log.info("role_ended", role=key.decode())

    def _is_in_place(self, announcement: ModelAnnouncement) -> bool:
        """Handle what needs no loading: a version that has the role already, or serves."""
        models, version = self._models, announcement.version
        serves = version == models.serving.version
        if announcement.role == "serving":
            return serves
        if announcement.role == "canary":
            if serves:
                models.canary = None
            elif models.canary is not None and models.canary.version == version:
                models.canary_share = announcement.canary_share
                return True
            return serves
        if serves:
            models.shadow = None
        return serves or (models.shadow is not None and models.shadow.version == version)

    def _load(self, announcement: ModelAnnouncement) -> Classifier:
        folder = Path(announcement.location)
        model = self._settings.model
        classifier = Classifier.load(folder, model.device, model.threads, model.chunk_tokens)
        digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        if (classifier.version, digest) != (announcement.version, announcement.manifest_digest):
            raise ModelError(f"{folder} does not hold the announced model {announcement.version}")
        return classifier

    def _put(self, announcement: ModelAnnouncement, classifier: Classifier) -> None:
        models = self._models
        if announcement.role == "shadow":
            models.shadow = classifier
        elif announcement.role == "canary":
            models.canary, models.canary_share = classifier, announcement.canary_share
        else:
            models.serving = classifier
            if models.canary is not None and models.canary.version == classifier.version:
                models.canary = None  # it was promoted
            self._on_swap()
