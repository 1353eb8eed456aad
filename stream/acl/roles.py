"""The roles, and the least that each of them needs.

Nobody may create or delete topics but the operator; the monitor creates its own changelogs. Nobody
needs a right on the cluster: since Kafka 3.0 idempotent writing comes with writing (KIP-679).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

from stream.acl.rules import AclRule, Operation, Pattern, Resource, topics_under, transactions_under
from stream.acl.rules import group as on_group
from stream.acl.rules import topic as on_topic
from stream.settings import Settings

Role = Literal[
    "producer", "consumer", "worker", "queue", "relabeller", "monitor", "trainer", "operator"
]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

_READ, _WRITE, _CREATE = Operation.READ, Operation.WRITE, Operation.CREATE
_DESCRIBE = Operation.DESCRIBE


def role_rules(role: Role, settings: Settings, *, group: str | None = None) -> tuple[AclRule, ...]:
    """Return what a role may do on Kafka, with the topics and groups of these settings.

    Args:
        role: which.
        settings: names of topics, groups and transactions.
        group: consumer group of a ``consumer``; any group of its own prefix unless given.
    """
    if role == "consumer":
        return _consumer(settings, group)
    return _RULES[role](settings)


def redis_rules(role: Role, settings: Settings) -> tuple[str, ...]:
    """Return what a role may do on Redis, as Redis' own ACL rules; empty: nothing at all.

    Args:
        role: which.
        settings: the prefix, which names the queue.
    """
    # What every client says when it connects; `info` is what `reviews doctor` asks.
    hello = ("-@all", "+auth", "+hello", "+ping", "+info", "+client|setname", "+client|setinfo")
    queue = f"~{{reviews.queue.{settings.topics.prefix}}}:*"
    # Word by word: Redis 6 cannot take one of a command's words away again, as of `script`.
    data = ("+@read", "+@write", "-@dangerous", "+eval", "+evalsha", "+script|load")
    match role:
        case "worker":
            return ("~reviews:prediction:*", *hello, "+mget", "+set")
        case "queue":
            # Dangerous are `keys`, `flushall` and their like; the queue never needs them.
            return (queue, *hello, *data, "+info")
        case "operator":
            return (queue, "~reviews:prediction:*", *hello, *data, "+info", "+scan", "+del")
        case _:
            return ()


def _producer(settings: Settings) -> tuple[AclRule, ...]:
    return (on_topic(settings.topic_names.incoming, _WRITE),)


def _consumer(settings: Settings, group: str | None) -> tuple[AclRule, ...]:
    named = (
        on_group(group, _READ)
        if group
        else AclRule(
            Resource.GROUP, f"{settings.topics.prefix}.consumer.", (_READ,), Pattern.PREFIXED
        )
    )
    return (*(on_topic(name, _READ) for name in settings.topic_names.categories), named)


def _worker(settings: Settings) -> tuple[AclRule, ...]:
    names, group = settings.topic_names, settings.worker.group
    return (
        on_topic(names.incoming, _READ),
        on_topic(names.models, _READ),
        on_topic(names.guard, _READ),
        *(on_topic(name, _WRITE) for name in (*names.outputs(), names.batches)),
        on_group(group, _READ),
        # One id for each partition of the incoming topic, or one a worker: stream/exactly_once.
        transactions_under(f"{group}.{names.incoming}."),
    )


def _queue(settings: Settings) -> tuple[AclRule, ...]:
    names = settings.topic_names
    return (
        on_topic(names.relabel, _READ),
        on_topic(names.labels, _READ, _WRITE),
        on_topic(names.judgements, _READ, _WRITE),
        *(on_topic(name, _WRITE) for name in names.categories),
        transactions_under(f"{settings.topics.prefix}.queue."),
    )


def _relabeller(settings: Settings) -> tuple[AclRule, ...]:
    names, group = settings.topic_names, settings.label.group
    return (
        on_topic(names.relabel, _READ),
        on_topic(names.labels, _READ, _WRITE),
        *(on_topic(name, _WRITE) for name in (*names.categories, names.dead_letter)),
        on_group(group, _READ),
        transactions_under(f"{group}.{names.relabel}."),
    )


def _monitor(settings: Settings) -> tuple[AclRule, ...]:
    names = settings.topic_names
    own = f"{settings.topics.prefix}.{settings.monitor.name}"
    return (
        *(
            on_topic(name, _READ)
            for name in (names.batches, names.labels, names.relabel, names.models)
        ),
        # It holds categories; who releases them is an operator.
        on_topic(names.guard, _READ, _WRITE),
        on_topic(names.stats, _WRITE),
        # Whether every topic is there; and lag, from the incoming topic's ends and the workers'
        # positions.
        topics_under(f"{settings.topics.prefix}.", _DESCRIBE),
        *_on_existing(settings, _DESCRIBE),
        on_group(settings.worker.group, _DESCRIBE),
        on_group(own, _READ),
        # Its tables' changelogs.
        topics_under(f"{own}-", _CREATE, _READ, _WRITE),
    )


def _trainer(settings: Settings) -> tuple[AclRule, ...]:
    names = settings.topic_names
    return (
        on_topic(names.labels, _READ),
        on_topic(names.judgements, _READ),
        # Audits of what was published: the gate judges by them.
        on_topic(names.relabel, _READ),
        on_topic(names.models, _READ, _WRITE),
    )


def _operator(settings: Settings) -> tuple[AclRule, ...]:
    """Everything below the prefix: creating topics, replay, backfill, erasure."""
    prefix = settings.topics.prefix
    return (
        # A replay writes dead letters back to where they came from.
        *_on_existing(settings, _READ, _WRITE, _DESCRIBE, Operation.DESCRIBE_CONFIGS),
        topics_under(
            f"{prefix}.",
            *(_CREATE, _READ, _WRITE, Operation.DELETE, _DESCRIBE),
            *(Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS),
        ),
        AclRule(Resource.GROUP, f"{prefix}.", (_READ, Operation.DELETE), Pattern.PREFIXED),
        on_group(settings.worker.group, _DESCRIBE),
        transactions_under(f"{prefix}."),
    )


def _on_existing(settings: Settings, *operations: Operation) -> tuple[AclRule, ...]:
    """Return rights on a topic of somebody's own, which is not under the prefix."""
    existing = settings.topic_names.existing
    return (on_topic(existing, *operations),) if existing else ()


_RULES: Final[dict[str, Callable[[Settings], tuple[AclRule, ...]]]] = {
    "producer": _producer,
    "worker": _worker,
    "queue": _queue,
    "relabeller": _relabeller,
    "monitor": _monitor,
    "trainer": _trainer,
    "operator": _operator,
}
