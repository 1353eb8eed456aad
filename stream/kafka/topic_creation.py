"""Creating our topics on the broker, and deleting them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiokafka.admin import NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from schemas import TopicPolicy
from stream.errors import TopicMissing
from stream.kafka.administering import administering
from stream.kafka.replies import require_none_refused
from stream.settings import KafkaSettings, Settings, TopicSettings

# Metadata follow within milliseconds; a broker that needs longer has trouble of its own.
_VISIBLE_SECONDS: Final = 5.0
_VISIBLE_POLL_SECONDS: Final = 0.02
# Replicas that have what is written, of three and more.
_ENOUGH: Final = 2


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    """What `topics create` did about one topic."""

    name: str
    outcome: Literal["created", "exists"]


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


async def delete_topics(settings: Settings, names: Iterable[str]) -> None:
    """Delete topics and everything in them. Absent ones are ignored."""
    async with administering(settings.kafka) as admin:
        present = set(await admin.list_topics())
        if doomed := [name for name in names if name in present]:
            await admin.delete_topics(doomed)


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
