"""Audits as they stand on Kafka: the questions, and what people decided."""

from __future__ import annotations

from datetime import datetime

from stream.audit.precision import Audit, audits_of
from stream.clients import RelabelConsumer
from stream.queue.export import standing_labels
from stream.settings import Settings


async def read_audits(settings: Settings, since: datetime | None = None) -> list[Audit]:
    """Read all audits, with what people say of them.

    Args:
        settings: connection and topics.
        since: audits that were published before are left out.

    Raises:
        BrokerError: no broker answers.
        TopicMissing: a topic does not exist.
    """
    async with RelabelConsumer(settings=settings, follow=False) as waiting:
        tasks = [
            task
            async for task in waiting
            if task.reason == "audit" and (since is None or task.queued_at >= since)
        ]
    return audits_of(tasks, {label.review_id: label for label in await standing_labels(settings)})
