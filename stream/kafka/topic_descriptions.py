"""Our topics as the broker has them, and where they fall short of the contract."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas import TopicNames, TopicPolicy
from stream.kafka.administering import administering
from stream.kafka.clients import observer
from stream.kafka.connection import start, unreachable
from stream.kafka.topics import configs_of
from stream.settings import KafkaSettings, Settings


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """One of our topics as the broker has it."""

    name: str
    description: str
    exists: bool
    partitions: int = 0
    replication: int = 0
    messages: int = 0
    """End minus beginning over all partitions: an upper bound, since transaction markers and
    messages removed by compaction count too."""
    config: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


async def describe_topics(settings: Settings) -> list[TopicDescription]:
    """Return every topic of the contract as the broker has it, absent ones included.

    Raises:
        BrokerError: no broker answers, or it refuses us.
    """
    policies = list(settings.topic_names.policies())
    async with administering(settings.kafka) as admin:
        present = set(await admin.list_topics())
        names = [policy.name for policy in policies if policy.name in present]
        found = {topic["topic"]: topic for topic in await admin.describe_topics(names)}
        configs = await configs_of(admin, names)
    partitions = [
        TopicPartition(name, part["partition"])
        for name, topic in found.items()
        for part in topic["partitions"]
    ]
    counts = await _message_counts(settings.kafka, partitions)
    return [
        _describe(policy, found.get(policy.name), configs.get(policy.name, {}), counts)
        for policy in policies
    ]


def uneven_partitions(descriptions: Iterable[TopicDescription], names: TopicNames) -> list[str]:
    """Return output topics whose partition count is not that of the incoming topic.

    Decisions about one review stay in order only while all of them go to one partition number.
    """
    by_name = {d.name: d for d in descriptions if d.exists}
    if names.incoming not in by_name:
        return []
    wanted = by_name[names.incoming].partitions
    return [n for n in names.outputs() if n in by_name and by_name[n].partitions != wanted]


def less_replicated(descriptions: Iterable[TopicDescription], names: TopicNames) -> list[str]:
    """Return topics with fewer replicas than the incoming one: what is decided is lost before it is."""
    by_name = {d.name: d for d in descriptions if d.exists}
    if names.incoming not in by_name:
        return []
    wanted = by_name[names.incoming].replication
    return [name for name, found in by_name.items() if found.replication < wanted]


def _describe(
    policy: TopicPolicy, found: Any, config: dict[str, str], counts: dict[str, int]
) -> TopicDescription:
    if found is None:
        return TopicDescription(policy.name, policy.description, exists=False)
    replicas = [len(part["replicas"]) for part in found["partitions"]]
    problems = [
        f"{name} is {config[name]}, the contract wants {wanted}"
        for name, wanted in policy.falls_short(config).items()
    ]
    if any(len(part["isr"]) < len(part["replicas"]) for part in found["partitions"]):
        problems.append("some replicas are not in sync")
    return TopicDescription(
        policy.name,
        policy.description,
        exists=True,
        partitions=len(found["partitions"]),
        replication=min(replicas, default=0),
        messages=counts.get(policy.name, 0),
        config=config,
        problems=tuple(problems),
    )


async def _message_counts(kafka: KafkaSettings, partitions: list[TopicPartition]) -> dict[str, int]:
    counts: dict[str, int] = {}
    if not partitions:
        return counts
    consumer = observer(kafka)
    await start(consumer, kafka)
    try:
        first = await consumer.beginning_offsets(partitions)
        last = await consumer.end_offsets(partitions)
    except KafkaError as error:
        raise unreachable(kafka, error) from None
    finally:
        await consumer.stop()
    for tp in partitions:
        counts[tp.topic] = counts.get(tp.topic, 0) + last[tp] - first[tp]
    return counts
