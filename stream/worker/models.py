"""The models that a worker serves, and how a newly announced one takes their place."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from schemas import ModelAnnouncement, decode
from stream.errors import ModelError
from stream.model.classifier import Classifier
from stream.model.loading import AnnouncedModel
from stream.model.signing import check_record, trusted_keys
from stream.model.topic import LOOK_BACK, ROLES, last_of_each_role, reading
from stream.model.trial import brief
from stream.settings import Settings
from stream.worker.metrics import WorkerMetrics

_HASH_SPACE: Final = 1 << 32
_RETRY_SECONDS: Final = 2.0
# Reading the topic takes milliseconds. With the time of one model's trial besides, that is all that a
# start waits for; what takes longer is loaded beside the work.
_CATCH_UP_SECONDS: Final = 30.0
# Clocks of two trainers may differ by so much. What is older was sent again by somebody else.
_CLOCKS_DIFFER: Final = timedelta(minutes=10)

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """An announced model that was not put in its role."""

    version: str
    reason: str


class ModelWatcher:
    """Follows ``reviews.models`` and loads what is announced beside what is served.

    Whatever is announced, by whomever: it is served or refused, and neither ends the worker.

    Args:
        settings: connection, topic names, device.
        models: where a loaded model is put.
        metrics: counts swaps and refusals.
        on_swap: called after the serving model changed.

    Raises:
        ConfigError: the keys that announcements are to be signed with cannot be read.
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
        self._trusted = trusted_keys(settings.model)
        self.refusals: dict[str, Refusal] = {}
        """By role: what was announced last for it, and why it has not got it."""
        self._refused: dict[bytes | None, bytes] = {}
        self._announced_at: dict[str, datetime] = {}

    @property
    def signed(self) -> bool:
        """Whether only signed announcements count."""
        return bool(self._trusted)

    def notes(self) -> Iterator[str]:
        """Yield what a person should know of the models, one line each."""
        yield f"model {self._models.serving.version} serves"
        if self.signed:
            yield f"announced models must be signed with {' or '.join(self._trusted.ids)}"
        else:
            yield "announced models need no signature: who writes to the topic chooses among them"
        for role, refusal in self.refusals.items():
            yield f"announced {role} model {refusal.version} is refused: {refusal.reason}"

    async def run(self) -> None:
        """Follow announcements until cancelled. Without the topic or a broker, wait for them."""
        while True:
            try:
                async with reading(self._settings) as (consumer, tp):
                    await self._catch_up(consumer, tp)
                    async for record in consumer:
                        await self.apply(record.key, record.value)
            except UnknownTopicOrPartitionError:
                pass  # nobody has announced anything yet
            # Broken batches raise more than Kafka's own errors, and the work goes on without news.
            except Exception as error:  # noqa: BLE001
                _log.warning("models_not_followed", error=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)

    async def catch_up(self) -> None:
        """Load what was announced before we came, so that the first review gets the right model.

        Without an answer in time the worker goes on with the model that it has; :meth:`run`
        tries again.
        """
        try:
            limit = _CATCH_UP_SECONDS + self._settings.model.trial_seconds
            async with asyncio.timeout(limit), reading(self._settings) as (consumer, tp):
                await self._catch_up(consumer, tp)
        except UnknownTopicOrPartitionError:
            pass
        except Exception as error:  # noqa: BLE001 - as in run()
            _log.warning("announced_models_not_read", error=repr(error))

    async def _catch_up(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        """Put each role's last announcement in force; refused, the last good one before it."""
        found = await last_of_each_role(consumer, tp, LOOK_BACK)
        for key, records in found.items():
            for place, record in enumerate(reversed(records)):
                if await self.apply(key, record.value, last=place == 0) or key != b"serving":
                    break

    async def apply(self, key: bytes | None, value: bytes | None, *, last: bool = True) -> bool:
        """Load an announced model and put it in its role. A bad one is refused; the old serves on.

        Args:
            key: the role.
            value: a :class:`~schemas.ModelAnnouncement`; None ends a shadow or a canary.
            last: nothing was announced for the role since.

        Returns:
            Whether it is in force now.
        """
        if value is None:
            self._end(key)
            return key != b"serving"  # a role that cannot end: what was announced before counts
        if self._refused.get(key) == value:
            return False  # nothing has changed since
        version = "?"
        try:
            announcement = decode(ModelAnnouncement, value)
            version = brief(announcement.version)
            self._check(key, announcement)
            if not self._is_in_place(announcement):
                classifier = await AnnouncedModel(announcement, self._settings).load()
                self._put(announcement, classifier)
                self._metrics.model_swaps.labels("swapped").inc()
                _log.info("model_swapped", role=announcement.role, version=version)
        # No message may end a worker, nor what happens to lie where it leads.
        except Exception as error:  # noqa: BLE001
            if last:
                self._refused[key] = value
            self._refuse(key, Refusal(version, brief(str(error) or type(error).__name__)), last)
            return False
        self._announced_at[announcement.role] = announcement.announced_at
        if last:
            self._clear(announcement.role)
        return True

    def _check(self, key: bytes | None, announcement: ModelAnnouncement) -> None:
        """Make sure that an announcement counts at all.

        Raises:
            ModelError: its key names another role, or who wrote it had no right to.
        """
        check_record(key, announcement, self._trusted)
        latest = self._announced_at.get(announcement.role)
        if self.signed and latest and announcement.announced_at < latest - _CLOCKS_DIFFER:
            raise ModelError(
                f"an announcement of {announcement.announced_at:%Y-%m-%d %H:%M} was sent again",
                "`reviews model announce` puts the champion in force",
            )

    def _refuse(self, key: bytes | None, refusal: Refusal, last: bool) -> None:
        role = (key or b"").decode("ascii", "replace")
        self._metrics.model_swaps.labels("refused").inc()
        if last and role in ROLES:
            self.refusals[role] = refusal
            self._metrics.model_refused.labels(role).set(1)
        _log.error(
            "model_refused",
            role=brief(role),
            version=refusal.version,
            reason=refusal.reason,
            serving=self._models.serving.version,
        )

    def _clear(self, role: str) -> None:
        self._refused.pop(role.encode(), None)
        self.refusals.pop(role, None)
        self._metrics.model_refused.labels(role).set(0)

    def _end(self, key: bytes | None) -> None:
        if key == b"canary":
            self._models.canary = None
        elif key == b"shadow":
            self._models.shadow = None
        else:
            return
        self._clear(key.decode())
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
