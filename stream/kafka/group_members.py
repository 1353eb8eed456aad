"""Who is in a consumer group, and whether a member still is."""

from __future__ import annotations

from typing import Any

from aiokafka.protocol.admin import DescribeGroupsRequest

from stream.errors import BrokerError
from stream.kafka.flexible import raise_for
from stream.kafka.private import ask_coordinator, coordinator_of, why_ended
from stream.kafka.replies import taking_apart


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
    with taking_apart(reply):
        ((code, _group, _state, _type, _protocol, members, *_),) = reply.groups
        raise_for(code)
        return frozenset(member_id for member_id, *_ in members)


def require_member(consumer: Any) -> None:
    """Check that a member reads and takes part in its group. To be asked before every poll.

    Raises:
        BrokerError: it does neither any more, and would hold its partitions without a word.
    """
    if (error := why_ended(consumer)) is not None:
        raise BrokerError(
            f"this process has dropped out of its consumer group: {error}",
            "start it again: nothing is lost, others go on from what is committed. If it comes back, "
            "look at who else joins the group, and at what stands between it and the brokers",
        ) from error
