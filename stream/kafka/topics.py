"""Creating and describing our topics on the broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaError,
    NodeNotReadyError,
    NoError,
    TopicAlreadyExistsError,
    for_code,
)

from schemas import TopicNames, TopicPolicy
from stream.errors import TopicMissing
from stream.kafka.administering import administering
from stream.kafka.clients import observer
from stream.kafka.connection import start, unreachable
from stream.kafka.replies import require_none_refused
from stream.listing import some
from stream.settings import KafkaSettings, Settings, TopicSettings

# Metadata follow within milliseconds; a broker that needs longer has trouble of its own.
_VISIBLE_SECONDS: Final = 5.0
_VISIBLE_POLL_SECONDS: Final = 0.02
# Replicas that have what is written, of three and more.
_ENOUGH: Final = 2
_DESCRIBED: Final = (
    "cleanup.policy",
    "retention.ms",
    "min.insync.replicas",
    "max.message.bytes",
    "max.compaction.lag.ms",
    "message.timestamp.type",
)


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    """What `topics create` did about one topic."""

    name: str
    outcome: Literal["created", "exists"]


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


async def create_topics(settings: Settings) -> list[TopicOutcome]:
    """Create every topic of the contract that is absent. What exists is left as it is.

    They get as many partitions and replicas as the incoming topic has, if it is there and no number is
    set.

    Raises:
        BrokerError: no broker answers, or it refuses to create a topic.
        TopicMissing: the topic of somebody's own that is to be read is not there.
    """
    topics = await _topics_wanted(settings)
    policies = list(settings.topic_names.policies())
    wanted = [_new_topic(policy, topics) for policy in policies if not policy.foreign]
    found = [TopicOutcome(policy.name, "exists") for policy in policies if policy.foreign]
    return found + await _create_absent(settings.kafka, wanted)


async def create_compacted(settings: Settings, partitions: Mapping[str, int]) -> None:
    """Create compacted topics that hold a program's own state, where they are absent.

    Args:
        settings: connection and replication.
        partitions: partition count by topic name.

    Raises:
        BrokerError: no broker answers, or it refuses to create a topic.
    """
    topics = await _topics_wanted(settings)
    policy = {
        "cleanup.policy": "compact",
        "min.insync.replicas": str(topics.min_insync_replicas),
    }
    wanted = [
        NewTopic(name, count, topics.replication, topic_configs=policy)
        for name, count in partitions.items()
    ]
    await _create_absent(settings.kafka, wanted)


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
            await asyncio.sleep(_VISIBLE_POLL_SECONDS)


async def delete_topics(settings: Settings, names: Iterable[str]) -> None:
    """Delete topics and everything in them. Absent ones are ignored."""
    async with administering(settings.kafka) as admin:
        present = set(await admin.list_topics())
        if doomed := [name for name in names if name in present]:
            await admin.delete_topics(doomed)


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
        return await _configs(admin, list(names))


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
        configs = await _configs(admin, names)
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


async def _topics_wanted(settings: Settings) -> TopicSettings:
    """Return how topics are to be made: as the incoming one is, unless set."""
    names = settings.topic_names
    async with administering(settings.kafka) as admin:
        present = names.incoming in await admin.list_topics()
        if names.existing and not present:
            raise TopicMissing(
                f"topic {names.existing} does not exist",
                "REVIEWS_TOPICS__INCOMING names a topic of yours, which is not made here: correct it, "
                "or leave it empty. A user sees no topic that it has no right on: `reviews acl`",
            )
        if not present:
            return settings.topics
        (found,) = await admin.describe_topics([names.incoming])
    return made_like(settings.topics, [len(part["replicas"]) for part in found["partitions"]])


def made_like(topics: TopicSettings, replicas: Sequence[int]) -> TopicSettings:
    """Return settings of topics that are made like another one: what is set stays.

    Args:
        topics: what is set, and the defaults of what is not.
        replicas: of each partition of the other topic.
    """
    replication = min(replicas)
    # What is decided may be lost no sooner than what it was decided about: with one of three brokers down
    # nothing is, and two still take what is written.
    like = {"partitions": len(replicas), "replication": replication}
    if not {"replication", "min_insync_replicas"} & topics.model_fields_set:
        like["min_insync_replicas"] = _ENOUGH if replication > _ENOUGH else 1
    given = topics.model_fields_set
    return topics.model_copy(update={k: v for k, v in like.items() if k not in given})


async def _create_absent(kafka: KafkaSettings, wanted: list[NewTopic]) -> list[TopicOutcome]:
    async with administering(kafka) as admin:
        # Whoever may not create topics, as with the rights of a role, can use those that are there.
        present = set(await admin.list_topics())
        done = [TopicOutcome(topic.name, "exists") for topic in wanted if topic.name in present]
        if absent := [topic for topic in wanted if topic.name not in present]:
            # All or none, as far as the broker can tell beforehand: rights, policies, replication.
            tried = await admin.create_topics(absent, validate_only=True)
            _require_created(tried.topic_errors)
            response = await admin.create_topics(absent)
            _require_created(response.topic_errors)
            done += [_outcome(name, code) for name, code, _ in response.topic_errors]
        await _visible(admin, {topic.name for topic in done})
    return done


async def _visible(admin: Any, names: set[str]) -> None:
    """Wait until the broker lists topics: its metadata follow the controller's word a bit later."""
    deadline = time.monotonic() + _VISIBLE_SECONDS
    # The broker tells nobody: it must be asked.
    while not names <= set(await admin.list_topics()) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_VISIBLE_POLL_SECONDS)


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


def _new_topic(policy: TopicPolicy, topics: TopicSettings) -> NewTopic:
    config = policy.config() | {"min.insync.replicas": str(topics.min_insync_replicas)}
    count = 1 if policy.single_partition else topics.partitions
    return NewTopic(policy.name, count, topics.replication, topic_configs=config)


def _require_created(answers: Iterable[tuple[str, int, str | None]]) -> None:
    """Check what the broker answered about each topic.

    Raises:
        BrokerError: it refuses some.
    """
    refused: dict[str, str] = {}
    for name, code, message in answers:
        error = for_code(code)
        if error not in {NoError, TopicAlreadyExistsError}:
            refused[name] = message or error.__name__
    require_none_refused(
        refused,
        "topic {} cannot be created",
        "ask for the right to Create, or for what the cluster's policy wants; check partitions and "
        "replication in `reviews config`. `reviews topics create` may be repeated: what exists is "
        "left as it is",
    )


def _outcome(name: str, code: int) -> TopicOutcome:
    return TopicOutcome(name, "exists" if for_code(code) is TopicAlreadyExistsError else "created")


async def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for _, _, _, name, entries in response.resources:
            found[name] = {key: value for key, value, *_ in entries if key in _DESCRIBED}
    return found


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
