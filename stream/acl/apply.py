"""Giving a principal its role's rights on a broker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiokafka.errors import NoError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from stream.acl.rules import ALLOW, ANY_HOST, AclRule
from stream.errors import BrokerError
from stream.kafka.administering import administering
from stream.kafka.private import ask_broker
from stream.settings import KafkaSettings


async def grant(kafka: KafkaSettings, principal: str, rules: Iterable[AclRule]) -> int:
    """Add rules for a principal. What it has already stays; granting twice changes nothing.

    Args:
        kafka: connection, as somebody who may alter the cluster's ACLs.
        principal: ``User:name``.
        rules: what to allow.

    Returns:
        How many rights the broker has taken.

    Raises:
        BrokerError: Kafka cannot be reached, has no authorizer, or refuses us.
    """
    granted = 0
    async with administering(kafka) as admin:
        for rule in rules:
            for operation in rule.operations:
                await _create(admin, principal, rule, operation)
                granted += 1
    return granted


async def _create(admin: Any, principal: str, rule: AclRule, operation: int) -> None:
    request = CreateAclsRequest(
        rule.resource, rule.name, rule.pattern, principal, ANY_HOST, operation, ALLOW
    )
    # aiokafka knows the request and has no method for it.
    response = await ask_broker(admin, request)
    for code, message in response.creation_responses:
        if (error := for_code(code)) is not NoError:
            raise BrokerError(
                f"the broker does not grant {rule.name}: {message or error.__name__}",
                "sign in as a super-user, and set authorizer.class.name on the broker",
            )
