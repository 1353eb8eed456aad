"""aiokafka's group coordinator, with partitions that go on while the group deals them anew (KIP-429).

aiokafka 0.14 knows the eager protocol: a member gives everything up before it joins again, and all
stand still until the slowest has joined. Here a member joins with what it has, goes on fetching and
committing meanwhile, and gives up only what it is not given again. Then all join once more, and what was
given up finds its new owner.

A group's members have to share one protocol. Ours offer the eager one, too, and are eager while somebody in
the group knows no other, as during an upgrade.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocol, ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

from stream.kafka.cooperative.assignor import deal
from stream.kafka.cooperative.subscription import Subscription, numbers_by_topic
from stream.kafka.membership import Membership
from stream.kafka.private import metadata_is_known, reassign
from stream.kafka.stopping import cancel_until_over

PROTOCOL: Final = "cooperative-sticky"
_ASSIGNMENT_VERSION: Final = 0
# Beside an assignment: partitions were withheld, and all are to join again. A static member that
# restarts is given its old assignment, and would not know by itself.
_JOIN_AGAIN: Final = b"again"
# Who has nothing to give up lets the others hear of this generation before it begins the next.
_JOIN_AGAIN_SECONDS: Final = 0.05
# A broker answers one request after another of a connection, and this one when all have joined:
# heartbeats and offsets must not wait behind it. aiokafka numbers its own connections 0 and 1.
_CONNECTION: Final = 2

_log = structlog.get_logger(__name__)


class CooperativeCoordinator(GroupCoordinator):  # type: ignore[misc]  # aiokafka ships no types
    """A member of a consumer group that stops only for partitions that it loses.

    Listeners hear of what is lost and of what is new, not of what stays. A new partition is paused, and
    has no position: who processes it seeks, and resumes.

    Args:
        client: connections and metadata.
        subscription: of the consumer.
        options: as ``GroupCoordinator`` calls them; the assignors are ours.
    """

    def __init__(self, client: Any, subscription: Any, **options: Any) -> None:
        # For eager generations. A list of several would make aiokafka join once for each.
        options["assignors"] = (RoundRobinPartitionAssignor,)
        super().__init__(client, subscription, **options)
        self.membership: Membership | None = None
        """In whose name partitions commit; None: as long as the member has none."""
        self._owned: frozenset[TopicPartition] = frozenset()
        self._owned_since = -1
        self._group_subscription: frozenset[str] | None
        self._heartbeat_task: asyncio.Task[None] | None
        self._is_eager = False

    async def _on_join_prepare(self, previous_assignment: Any) -> None:
        """Begin to join. While others are eager, so are we."""
        self._group_subscription = None
        if self._is_eager or previous_assignment is None or not previous_assignment.active:
            await self._give_up(self._owned)

    async def _do_rejoin_group(self, subscription: Any) -> bool:
        if self.member_id == JoinGroupRequest.UNKNOWN_MEMBER_ID:
            # The group went on without us, and has dealt out all that we had.
            self._end_membership()
            await self._give_up(self._owned)
        joined: bool = await super()._do_rejoin_group(subscription)
        return joined

    async def _stop_heartbeat_task(self) -> None:
        # Two generations may follow so fast that it has not begun: aiokafka would be cancelled with it.
        task, self._heartbeat_task = self._heartbeat_task, None
        if task is not None:
            await cancel_until_over([task])

    async def _send_req(self, request: Any) -> Any:
        if isinstance(request, JoinGroupRequest):
            reply = await self._send_apart(self._with_claims())
            if reply.error_code == 0:
                await self._has_joined(reply)
            return reply
        if isinstance(request, SyncGroupRequest):
            return await self._send_apart(request)
        return await super()._send_req(request)

    async def _send_apart(self, request: Any) -> Any:
        if self.coordinator_id is None:
            raise GroupCoordinatorNotAvailableError
        try:
            return await self._client.send(self.coordinator_id, request, group=_CONNECTION)
        except KafkaError as error:
            _log.warning("group_coordinator_lost", group=self.group_id, error=repr(error))
            self.coordinator_dead()
            raise

    def _with_claims(self) -> Any:
        topics = self._subscription.topics
        claim = Subscription(frozenset(topics), self._owned, self._owned_since)
        return JoinGroupRequest(
            self.group_id,
            self._session_timeout_ms,
            self._rebalance_timeout_ms,
            self.member_id,
            self._group_instance_id,
            ConsumerProtocol.PROTOCOL_TYPE,
            [
                (PROTOCOL, claim.encode()),
                (
                    RoundRobinPartitionAssignor.name,
                    RoundRobinPartitionAssignor.metadata(topics).encode(),
                ),
            ],
        )

    async def _has_joined(self, reply: Any) -> None:
        """Note the new generation: from now on the group refuses whoever commits in the former one."""
        self._is_eager = reply.group_protocol != PROTOCOL
        if self._is_eager and self._owned:
            # Somebody joined who knows nothing of owned partitions. Others are given ours any moment.
            _log.warning("group_became_eager", group=self.group_id, protocol=reply.group_protocol)
            self._end_membership()
            await self._give_up(self._owned)
        if self._is_eager or self.membership is None:
            self.membership = Membership(
                reply.generation_id, reply.member_id, self._group_instance_id
            )
        else:
            # Nobody else is given what we have as long as we claim it.
            self.membership.generation = reply.generation_id

    def _end_membership(self) -> None:
        if self.membership is not None:
            self.membership.is_over = True
        self.membership = None

    async def _perform_assignment(self, response: Any) -> Mapping[str, Any]:
        if response.group_protocol != PROTOCOL:
            _replace_unreadable(response)
            eager: Mapping[str, Any] = await super()._perform_assignment(response)
            return eager
        claims = {
            member: _subscription_of(member, data) for member, *_instance, data in response.members
        }
        topics = frozenset[str]().union(*(claim.topics for claim in claims.values()))
        # The leader joins again whenever the number of their partitions changes.
        self._group_subscription = topics
        if not self._subscription.subscribed_pattern:
            self._client.set_topics(topics)
        await metadata_is_known(self._client)
        dealt = deal(self._partitions_of(topics), claims)
        self._metadata_snapshot = self._get_metadata_snapshot()
        note = _JOIN_AGAIN if dealt.withheld else b""
        return {
            member: ConsumerProtocolMemberAssignment(
                _ASSIGNMENT_VERSION, numbers_by_topic(partitions), note
            )
            for member, partitions in dealt.given.items()
        }

    def _partitions_of(self, topics: Iterable[str]) -> list[TopicPartition]:
        return [
            TopicPartition(topic, number)
            for topic in topics
            for number in self._cluster.partitions_for_topic(topic) or ()
        ]

    async def _on_join_complete(
        self, generation: int, _member_id: str, protocol: str, assigned: bytes
    ) -> None:
        """Give up what was not given again, then take in what is new."""
        assignment = _assignment_in(assigned)
        given = frozenset(
            tp for tp in assignment.partitions() if tp.topic in self._subscription.topics
        )
        lost = self._owned - given
        self._start_heartbeat_task()  # draining takes a while
        await self._give_up(lost)
        new = given - self._owned
        self._own(given)
        self._owned_since = generation
        again = protocol == PROTOCOL and (bool(lost) or assignment.user_data == _JOIN_AGAIN)
        if new or not again:
            await self._tell("on_partitions_assigned", new)
        if lost:
            self.request_rejoin()
        elif again:
            asyncio.get_running_loop().call_later(
                _JOIN_AGAIN_SECONDS, self._join_again_after, generation
            )

    def _join_again_after(self, generation: int) -> None:
        if self.generation == generation:
            self.request_rejoin()

    async def _give_up(self, partitions: frozenset[TopicPartition]) -> None:
        if partitions:
            await self._tell("on_partitions_revoked", partitions)
            self._own(self._owned - partitions)

    def _own(self, partitions: frozenset[TopicPartition]) -> None:
        self._owned = partitions
        subscription = self._subscription.subscription
        if subscription is None:
            return
        former = subscription.assignment
        reassign(self._subscription, partitions)
        if subscription.assignment is not former:
            self.start_commit_offsets_refresh_task(subscription.assignment)

    async def _tell(self, what: str, partitions: frozenset[TopicPartition]) -> None:
        listener = self._subscription.listener
        if listener is None:
            return
        try:
            await getattr(listener, what)(partitions)
        except Exception:  # noqa: BLE001 - as aiokafka: the group must not stop for it
            _log.exception("rebalance_listener_failed", group=self.group_id, about=what)


def _assignment_in(data: bytes) -> ConsumerProtocolMemberAssignment:
    """Return what the group's leader gives; nothing, if those are no assignment's bytes.

    Whoever deals may be anybody, too. Bytes that cannot be read would end aiokafka's coordination for
    good, and leave a member that holds partitions and reads none.
    """
    try:
        assignment = ConsumerProtocol.ASSIGNMENT.decode(data)
        assignment.partitions()
    except (TypeError, ValueError) as error:
        _log.warning("assignment_not_read", error=repr(error))
        return ConsumerProtocolMemberAssignment(_ASSIGNMENT_VERSION, [], b"")
    return assignment


def _replace_unreadable(response: Any) -> None:
    """Put subscriptions to nothing in the place of those that aiokafka could not read."""
    nothing = RoundRobinPartitionAssignor.metadata([]).encode()
    response.members = [
        (member, *instance, data if _subscription_of(member, data).topics else nothing)
        for member, *instance, data in response.members
    ]


def _subscription_of(member: str, data: bytes) -> Subscription:
    """Return what a member asks for; nothing, if those are no subscription's bytes.

    Whoever may join the group may send anything: that must not end the member that deals.
    """
    try:
        return Subscription.decode(data)
    except ValueError as error:
        _log.warning("subscription_not_read", member=member, error=repr(error))
        return Subscription(frozenset())


class CooperativeSticky:
    """Names the coordinator where aiokafka asks for assignors."""

    name = PROTOCOL
    coordinator = CooperativeCoordinator
