"""A member keeps what it has while its group deals anew, and says what changed to its listener."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import JoinGroupRequest_v5
from structlog.testing import capture_logs

from stream.kafka.cooperative.coordinator import PROTOCOL, CooperativeCoordinator
from stream.kafka.cooperative.subscription import Subscription, numbers_by_topic

TOPIC = "reviews"
ZERO, ONE, TWO, THREE = (TopicPartition(TOPIC, number) for number in range(4))
EAGER = "roundrobin"


class Client:
    """Replies with what it was given; keeps what was sent."""

    def __init__(self):
        self.cluster = ClusterMetadata(metadata_max_age_ms=1000)
        self.replies = []
        self.sent = []

    async def send(self, _node, request, *, group):
        self.sent.append((request, group))
        return self.replies.pop(0)

    def set_topics(self, topics):
        self.topics = topics

    async def _maybe_wait_metadata(self):
        pass


class Listener(ConsumerRebalanceListener):
    def __init__(self):
        self.told = []

    async def on_partitions_revoked(self, revoked):
        self.told.append(("revoked", set(revoked)))

    async def on_partitions_assigned(self, assigned):
        self.told.append(("assigned", set(assigned)))


@pytest.fixture
async def member():
    subscriptions, listener, client = SubscriptionState(), Listener(), Client()
    subscriptions.register_fetch_waiters(set())
    coordinator = CooperativeCoordinator(client, subscriptions, group_id="g")
    coordinator._coordination_task.cancel()  # it is led by hand
    coordinator.coordinator_id = 0
    subscriptions.subscribe({TOPIC}, listener)
    yield SimpleNamespace(
        coordinator=coordinator, subscriptions=subscriptions, listener=listener, client=client
    )
    await coordinator._stop_heartbeat_task()
    await asyncio.sleep(0)
    await coordinator._stop_commit_offsets_refresh_task()


def reply(generation, protocol=PROTOCOL, members=(), error=0):
    return SimpleNamespace(
        error_code=error,
        generation_id=generation,
        group_protocol=protocol,
        leader_id="me" if members else "another",
        member_id="me",
        members=list(members),
        API_VERSION=5,
    )


async def join(member, generation, partitions, protocol=PROTOCOL, note=b""):
    """Go through one generation; return what the listener was told meanwhile."""
    encoded = ConsumerProtocolMemberAssignment(0, numbers_by_topic(partitions), note).encode()
    member.client.replies = [
        reply(generation, protocol),
        SimpleNamespace(error_code=0, member_assignment=encoded),
    ]
    subscription = member.subscriptions.subscription
    told = len(member.listener.told)
    member.coordinator._performed_join_prepare = False
    await member.coordinator.ensure_active_group(subscription, subscription.assignment)
    return member.listener.told[told:]


def rejoins(member):
    return member.coordinator.need_rejoin(member.subscriptions.subscription)


def claimed(request):
    """What a request to join claims, by protocol, in the order in which they are preferred."""
    return dict(request.build(JoinGroupRequest_v5).group_protocols)


async def test_the_first_assignment_is_new_as_a_whole_and_paused_until_somebody_seeks(member):
    assert await join(member, 1, [ZERO, ONE]) == [("assigned", {ZERO, ONE})]
    assert member.subscriptions.assigned_partitions() == {ZERO, ONE}
    assert member.subscriptions.paused_partitions() == {ZERO, ONE}


async def test_what_stays_is_told_to_nobody_and_keeps_its_position(member):
    await join(member, 1, [ZERO, ONE])
    member.subscriptions.seek(ZERO, 42)
    member.subscriptions.resume(ZERO)
    assignment = member.subscriptions.subscription.assignment
    assert await join(member, 2, [ZERO, TWO]) == [("revoked", {ONE}), ("assigned", {TWO})]
    assert member.subscriptions.subscription.assignment is assignment
    assert assignment.active  # or the fetcher would throw away what it has
    assert assignment.state_value(ZERO).position == 42
    assert member.subscriptions.paused_partitions() == {TWO}


async def test_fetching_is_not_held_up_while_it_joins(member):
    await join(member, 1, [ZERO])
    await member.coordinator._on_join_prepare(member.subscriptions.subscription.assignment)
    assert not member.subscriptions.reassignment_in_progress
    assert member.subscriptions.assigned_partitions() == {ZERO}


async def test_a_fetch_under_way_for_what_was_given_up_finds_it_paused(member):
    await join(member, 1, [ZERO, ONE])
    member.subscriptions.resume(ONE)
    await join(member, 2, [ZERO])
    assert member.subscriptions.subscription.assignment.state_value(ONE).paused


async def test_who_lost_something_joins_again_at_once(member):
    await join(member, 1, [ZERO, ONE])
    await join(member, 2, [ZERO])
    assert rejoins(member)


async def test_who_lost_nothing_joins_again_if_the_leader_says_so(member):
    await join(member, 1, [ZERO], note=b"again")
    assert not rejoins(member)  # the others are to hear of this generation first
    async with asyncio.timeout(30):
        await member.coordinator._rejoin_needed_fut


async def test_an_empty_share_is_not_told_while_more_is_to_come(member):
    assert await join(member, 1, [], note=b"again") == []
    assert await join(member, 2, []) == [("assigned", set())]
    assert not rejoins(member)


async def test_it_joins_with_all_that_it_has_and_offers_the_eager_protocol_as_well(member):
    await join(member, 7, [ZERO, TWO])
    await join(member, 8, [ZERO, TWO])
    (request, _group), *_ = member.client.sent[2:]
    protocols = claimed(request)
    assert list(protocols) == [PROTOCOL, EAGER]
    assert Subscription.decode(protocols[PROTOCOL]) == Subscription(
        frozenset({TOPIC}), frozenset({ZERO, TWO}), 7
    )
    assert Subscription.decode(protocols[EAGER]) == Subscription(frozenset({TOPIC}))


async def test_no_heartbeat_and_no_offset_waits_behind_the_request_to_join(member):
    await join(member, 1, [ZERO])
    member.client.replies = ["offsets"]
    assert await member.coordinator._send_req("OffsetFetch") == "offsets"
    *joining, offsets = [group for _request, group in member.client.sent]
    assert set(joining).isdisjoint({0, offsets})


async def test_its_membership_moves_on_with_the_group(member):
    await join(member, 1, [ZERO])
    membership = member.coordinator.membership
    await join(member, 2, [ZERO])
    assert member.coordinator.membership is membership
    assert (membership.generation, membership.member_id) == (2, "me")


async def test_who_was_thrown_out_gives_up_everything_before_it_joins(member):
    await join(member, 1, [ZERO, ONE])
    membership = member.coordinator.membership
    member.coordinator.reset_generation()
    told = await join(member, 5, [ONE, TWO])
    assert told == [("revoked", {ZERO, ONE}), ("assigned", {ONE, TWO})]
    assert membership.is_over
    assert membership.generation == 1  # the group is to refuse it
    assert not member.coordinator.membership.is_over
    (request, _group), *_ = member.client.sent[2:]
    assert Subscription.decode(claimed(request)[PROTOCOL]).owned == frozenset()


async def test_a_failed_attempt_to_join_costs_no_partition(member):
    await join(member, 1, [ZERO])
    member.client.replies = [reply(-1, error=15)]  # no coordinator
    subscription = member.subscriptions.subscription
    member.coordinator._performed_join_prepare = False
    joined = await member.coordinator.ensure_active_group(subscription, subscription.assignment)
    assert joined is None
    assert member.listener.told == [("assigned", {ZERO})]


async def test_when_the_group_becomes_eager_everything_is_given_up_before_others_are_told(member):
    await join(member, 1, [ZERO, ONE])
    membership = member.coordinator.membership
    asked_for = []
    member.listener.on_partitions_revoked = lambda _: _note(asked_for, len(member.client.sent))
    await join(member, 2, [ONE], protocol=EAGER)
    assert asked_for == [3]  # after it joined, before it asked for its assignment
    assert membership.is_over
    assert member.subscriptions.paused_partitions() == {ONE}


async def _note(where, what):
    where.append(what)


async def test_among_eager_members_it_is_eager_and_afterwards_it_is_not(member):
    await join(member, 1, [ZERO], protocol=EAGER)
    told = await join(member, 2, [ZERO], protocol=PROTOCOL)
    assert told == [("revoked", {ZERO}), ("assigned", {ZERO})]
    assert await join(member, 3, [ZERO]) == [("assigned", set())]


async def test_a_leader_deals_by_what_members_claim(member):
    await join(member, 1, [ZERO])
    member.client.cluster.partitions_for_topic = lambda _: {0, 1}
    other = Subscription(frozenset({TOPIC}))
    mine = Subscription(frozenset({TOPIC}), frozenset({ZERO, ONE}), 1)
    joined = reply(2, members=[("me", None, mine.encode()), ("new", None, other.encode())])
    given = await member.coordinator._perform_assignment(joined)
    assert {name: one.partitions() for name, one in given.items()} == {"me": [ZERO], "new": []}
    assert {one.user_data for one in given.values()} == {b"again"}
    assert member.coordinator._group_subscription == {
        TOPIC
    }  # it hears of partitions that are added


async def test_a_listener_that_fails_does_not_stop_the_group(member):
    def fail(_):
        raise RuntimeError("no")

    member.listener.on_partitions_assigned = fail
    await join(member, 1, [ZERO])
    assert member.subscriptions.assigned_partitions() == {ZERO}


async def test_without_a_coordinator_nothing_is_sent(member):
    member.coordinator.coordinator_id = None
    with pytest.raises(KafkaError):
        await member.coordinator._send_apart("anything")
    assert member.client.sent == []


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"\x00\x00\x7f\xff\xff\xff", b"\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00"],
    ids=["none", "of another kind", "cut off", "no list"],
)
async def test_an_assignment_that_cannot_be_read_gives_nothing_and_ends_nothing(member, data):
    await join(member, 1, [ZERO])
    with capture_logs() as logs:
        await member.coordinator._on_join_complete(2, "me", PROTOCOL, data)
    assert "assignment_not_read" in {line["event"] for line in logs}
    assert member.listener.told[-1] == ("revoked", {ZERO})
    assert member.subscriptions.assigned_partitions() == set()
    assert await join(member, 3, [ZERO]) == [("assigned", {ZERO})]


async def test_partitions_of_a_topic_that_was_not_asked_for_are_not_taken(member):
    assert await join(member, 1, [ZERO, TopicPartition("secrets", 0)]) == [("assigned", {ZERO})]


async def test_an_eager_member_whose_subscription_cannot_be_read_does_not_end_who_deals(member):
    mine = RoundRobinPartitionAssignor.metadata([TOPIC]).encode()
    members = [("me", None, mine), ("stranger", None, b"{}")]
    dealt = await member.coordinator._perform_assignment(reply(1, EAGER, members))
    assert set(dealt) == {"me", "stranger"}
