"""After how long of quiet a broker forgets offsets and transactional ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream.kafka.administering import administering
from stream.kafka.replies import taking_apart
from stream.settings import KafkaSettings

OFFSETS: Final = "offsets.retention.minutes"
TRANSACTIONAL_IDS: Final = "transactional.id.expiration.ms"


@dataclass(frozen=True, slots=True)
class Expiry:
    """Hours that a broker remembers; None where it does not say.

    Attributes:
        offsets: of a group that nobody is a member of.
        transactional_ids: of a producer that sends nothing.
        reviews: of the incoming topic: ``retention.ms``; None: without end.
    """

    offsets: float | None
    transactional_ids: float | None
    reviews: float | None


async def expiry(kafka: KafkaSettings, topic: str) -> Expiry:
    """Ask a broker how long it remembers.

    Args:
        kafka: connection.
        topic: the incoming one.

    Raises:
        BrokerError: no broker answers, or it refuses us.
    """
    async with administering(kafka) as admin:
        cluster = await admin.describe_cluster()
        with taking_apart("the cluster"):
            node = cluster["brokers"][0]["node_id"]
        found = await admin.describe_configs(
            [
                ConfigResource(ConfigResourceType.BROKER, str(node)),
                ConfigResource(ConfigResourceType.TOPIC, topic),
            ]
        )
        with taking_apart("the configuration"):
            return _expiry(
                [entry for reply in found for *_, entries in reply.resources for entry in entries]
            )


def _expiry(entries: list[Any]) -> Expiry:
    # A managed cluster, or one that grants no DescribeConfigs, tells nothing of its brokers.
    values = {name: int(value) for name, value, *_ in entries if name in _HOURS and value}
    hours = {name: values[name] / _HOURS[name] for name in values if values[name] >= 0}
    return Expiry(hours.get(OFFSETS), hours.get(TRANSACTIONAL_IDS), hours.get("retention.ms"))


_HOURS: Final = {OFFSETS: 60, TRANSACTIONAL_IDS: 3_600_000, "retention.ms": 3_600_000}
"""How many of its units are an hour."""
