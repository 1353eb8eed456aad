"""Asking who is in a consumer group."""

from __future__ import annotations

from typing import Any

from aiokafka.protocol.admin import DescribeGroupsRequest

from stream.kafka.flexible import raise_for
from stream.kafka.private import ask_coordinator, coordinator_of


async def members_of(consumer: Any, group: str) -> frozenset[str]:
    """Return the ids of a group's members.

    Args:
        consumer: started, of the group; its connections are used.
        group: the group's name.

    Raises:
        KafkaError: the coordinator cannot be reached or refuses.
    """
    coordinator = coordinator_of(consumer)
    await coordinator.ensure_coordinator_known()
    reply = await ask_coordinator(coordinator, DescribeGroupsRequest([group]))
    ((code, _group, _state, _type, _protocol, members, *_),) = reply.groups
    raise_for(code)
    return frozenset(member_id for member_id, *_ in members)
