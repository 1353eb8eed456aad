"""Which topics and partitions there are on the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    NodeNotReadyError,
    NoError,
    for_code,
)

from stream.errors import TopicMissing
from stream.kafka.administering import administering
from stream.listing import some
from stream.settings import KafkaSettings, Settings

_POLL_SECONDS: Final = 0.02
_DESCRIBED: Final = (
    "cleanup.policy",
    "retention.ms",
    "min.insync.replicas",
    "max.message.bytes",
    "max.compaction.lag.ms",
    "message.timestamp.type",
)


async def await_leaders(kafka: KafkaSettings, names: Iterable[str]) -> None:
    """Wait until every partition of topics has a leader: new ones have none for a moment.

    A busy broker needs seconds for it. Bounded by the caller.

    Raises:
        BrokerError: no broker answers, or it refuses us.
    """
    wanted = list(names)
    async with administering(kafka) as admin:
        # The broker tells nobody: it must be asked.
        while not await _all_led(admin, wanted):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)


async def list_topics(kafka: KafkaSettings) -> set[str]:
    """Return the names of all topics that we may see.

    Raises:
        BrokerError: no broker answers, or it refuses us.
    """
    async with administering(kafka) as admin:
        return set(await admin.list_topics())


async def partitions_of(kafka: KafkaSettings, *topics: str) -> list[TopicPartition]:
    """Return all partitions of topics, in order.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: a topic does not exist.
    """
    async with administering(kafka) as admin:
        require_topics(topics, await admin.list_topics())
        found = await admin.describe_topics(list(topics))
    partitions = sorted(
        TopicPartition(topic["topic"], part["partition"])
        for topic in found
        for part in topic["partitions"]
    )
    # One that is just being deleted is still listed, and has none.
    require_topics(topics, {tp.topic for tp in partitions})
    return partitions


async def topic_configs(kafka: KafkaSettings, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return how the broker keeps each topic: cleanup policy, retention and the like.

    Raises:
        BrokerError: no broker answers, or it refuses us.
    """
    async with administering(kafka) as admin:
        return await configs_of(admin, list(names))


async def require_all_topics(settings: Settings) -> None:
    """Check that every topic of the contract exists.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: names the absent ones.
    """
    present = await list_topics(settings.kafka)
    require_topics((policy.name for policy in settings.topic_names.policies()), present)


def require_topics(needed: Iterable[str], present: Iterable[str]) -> None:
    """Check that topics exist before a client waits for them in vain.

    Raises:
        TopicMissing: names the absent ones.
    """
    if missing := sorted(set(needed) - set(present)):
        do = "do" if len(missing) > 1 else "does"
        raise TopicMissing(
            f"topic {some(missing, most=1)} {do} not exist",
            "create it with `reviews topics create`, or correct REVIEWS_TOPICS__PREFIX or __INCOMING",
        )


async def _all_led(admin: Any, names: list[str]) -> bool:
    try:
        return _are_led(await admin.describe_topics(names))
    except NodeNotReadyError:  # a broker that has just started names none, itself included
        return False


def _are_led(topics: Iterable[Mapping[str, Any]]) -> bool:
    for topic in topics:
        error = for_code(topic["error_code"])
        if error is not NoError and not error.retriable:
            raise error
        leaders = [part["leader"] for part in topic["partitions"]]
        if error is not NoError or not leaders or min(leaders) < 0:
            return False
    return True


async def configs_of(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """Return how the broker keeps each topic, by an admin client that is at hand: see :func:`topic_configs`."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for _, _, _, name, entries in response.resources:
            found[name] = {key: value for key, value, *_ in entries if key in _DESCRIBED}
    return found
