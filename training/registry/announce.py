"""Telling the workers: announcements on ``reviews.models``, one compacted key a role."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from aiokafka.errors import KafkaError

from schemas import ModelAnnouncement, cloud_event, encode
from stream.errors import ConfigError, ModelError
from stream.kafka.clients import idempotent_producer
from stream.kafka.connection import start, unreachable
from stream.kafka.stopping import stop_producer
from stream.kafka.topics import require_topics
from stream.model.signing import signing_key, trusted_keys
from stream.settings import Settings
from training.registry.records import VersionRecord
from training.registry.store import Registry

Role = Literal["serving", "shadow", "canary"]


def announcement(
    registry: Registry,
    record: VersionRecord,
    role: Role = "serving",
    *,
    seen_at: Path | None = None,
    share: float = 0.0,
    by: str = "",
) -> ModelAnnouncement:
    """Return what workers are to be told about a version.

    Args:
        registry: that holds it.
        record: the version.
        role: what it is to do.
        seen_at: the registry's folder as the workers see it, if that differs from ours.
        share: of the keys, for a canary.
        by: who announces.
    """
    ours = registry.path(record)
    location = ours if seen_at is None else seen_at / ours.relative_to(registry.folder.resolve())
    return ModelAnnouncement(
        role=role,
        version=record.version,
        number=record.number,
        location=str(location),
        manifest_digest=record.manifest_digest,
        canary_share=share,
        announced_by=by,
    )


async def announce(settings: Settings, message: ModelAnnouncement) -> None:
    """Publish an announcement, once, acknowledged by all replicas in sync; signed, if we have a key.

    Raises:
        ConfigError: the workers want a signature and no key is set here, or it cannot be read.
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: there is no topic for it.
    """
    message = _signed(settings, message)
    event_id = f"{message.role}:{message.version}:{message.announced_at.isoformat()}"
    headers = cloud_event(ModelAnnouncement, event_id, message.role, message.announced_at)
    await _publish(settings, message.role, encode(message), headers)


def _signed(settings: Settings, message: ModelAnnouncement) -> ModelAnnouncement:
    key, trusted = signing_key(settings.learning), trusted_keys(settings.model)
    if key is not None:
        message = key.sign(message)
    try:
        trusted.check(message)
    except ModelError as error:
        raise ConfigError(
            f"workers would refuse this announcement: {error.message}",
            "set REVIEWS_LEARNING__SIGNING_KEY_FILE, or REVIEWS_LEARNING__SIGNING_KEY, to the key "
            "of one in REVIEWS_MODEL__TRUSTED_KEYS",
        ) from None
    return message


async def withdraw(settings: Settings, role: Literal["shadow", "canary"]) -> None:
    """End a shadow or a canary on all workers: a tombstone, which compaction removes as well.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: there is no topic for it.
    """
    await _publish(settings, role, None, [])


async def _publish(settings: Settings, role: Role, value: bytes | None, headers: Any) -> None:
    kafka, topic = settings.kafka, settings.topic_names.models
    producer = idempotent_producer(kafka)
    await start(producer, kafka)
    try:
        require_topics([topic], (await producer.client.fetch_all_metadata()).topics())
        await producer.send_and_wait(topic, value, key=role.encode(), headers=headers)
    except (KafkaError, OSError) as error:
        raise unreachable(kafka, error) from None
    finally:
        await stop_producer(producer)
