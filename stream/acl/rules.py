"""One right on Kafka, as its protocol and its own tools write it.

Source of the numbers: Kafka's ``ResourceType``, ``PatternType``, ``AclOperation`` and
``AclPermissionType`` (org.apache.kafka.common.acl and .resource), which the protocol fixes.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

ALLOW: Final = 3
ANY_HOST: Final = "*"


class Resource(IntEnum):
    """What a right is about."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5


class Pattern(IntEnum):
    """How a resource is named."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """What may be done. Reading, writing, deleting and altering imply describing."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11


class _Option(Enum):
    TOPIC = "--topic"
    GROUP = "--group"
    CLUSTER = "--cluster"
    TRANSACTIONAL_ID = "--transactional-id"


@dataclass(frozen=True, slots=True)
class AclRule:
    """Operations that are allowed on one resource, or on all whose names begin alike."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    pattern: Pattern = Pattern.LITERAL

    def command(self, principal: str, servers: str) -> str:
        """Return the line of Kafka's own ``kafka-acls.sh`` that adds this rule."""
        words = ["kafka-acls.sh", "--bootstrap-server", servers, "--add"]
        words += ["--allow-principal", principal]
        for operation in self.operations:
            words += ["--operation", _camel(operation.name)]
        words.append(_Option[self.resource.name].value)
        if self.resource is not Resource.CLUSTER:
            words.append(self.name)
        if self.pattern is Pattern.PREFIXED:
            words += ["--resource-pattern-type", "prefixed"]
        return " ".join(shlex.quote(word) for word in words)


def topic(name: str, *operations: Operation) -> AclRule:
    """Return a rule about one topic."""
    return AclRule(Resource.TOPIC, name, operations)


def topics_under(prefix: str, *operations: Operation) -> AclRule:
    """Return a rule about all topics whose names begin so."""
    return AclRule(Resource.TOPIC, prefix, operations, Pattern.PREFIXED)


def group(name: str, *operations: Operation) -> AclRule:
    """Return a rule about one consumer group."""
    return AclRule(Resource.GROUP, name, operations)


def transactions_under(prefix: str) -> AclRule:
    """Return the rule that allows transactional ids which begin so."""
    return AclRule(Resource.TRANSACTIONAL_ID, prefix, (Operation.WRITE,), Pattern.PREFIXED)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
