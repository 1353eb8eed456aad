"""A member's claim, byte for byte as Kafka's protocol has it."""

import struct

import pytest
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from stream.kafka.cooperative.coordinator import _subscription_of
from stream.kafka.cooperative.subscription import Subscription

NAMES = st.text(min_size=1, max_size=9)
CLAIMS = st.builds(
    Subscription,
    st.frozensets(NAMES, max_size=3),
    st.frozensets(st.builds(TopicPartition, NAMES, st.integers(0, 2**31 - 1)), max_size=9),
    st.integers(-1, 2**31 - 1),
)


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def number(value):
    return struct.pack(">i", value)


HEAD = number(1) + text("reviews") + number(0)
OWNED = number(1) + text("reviews") + number(2) + number(3) + number(5)
THREE_AND_FIVE = frozenset({TopicPartition("reviews", 3), TopicPartition("reviews", 5)})
TOPICS = frozenset({"reviews"})


@given(CLAIMS)
def test_what_was_claimed_is_read_again(claim):
    assert Subscription.decode(claim.encode()) == claim


def test_it_is_version_two_of_the_consumer_protocols():
    encoded = Subscription(TOPICS, THREE_AND_FIVE, 7).encode()
    assert encoded == struct.pack(">h", 2) + HEAD + OWNED + number(7)


@pytest.mark.parametrize(
    ("data", "claim"),
    [
        (struct.pack(">h", 0) + HEAD, Subscription(TOPICS)),
        (struct.pack(">h", 1) + HEAD + OWNED, Subscription(TOPICS, THREE_AND_FIVE)),
        (
            struct.pack(">h", 3) + HEAD + OWNED + number(7) + text("rack"),
            Subscription(TOPICS, THREE_AND_FIVE, 7),
        ),
        (RoundRobinPartitionAssignor.metadata(["reviews"]).encode(), Subscription(TOPICS)),
    ],
    ids=["the first version", "owned partitions", "a rack, too", "aiokafka's"],
)
def test_members_of_other_versions_are_understood(data, claim):
    assert Subscription.decode(data) == claim


def test_what_is_no_subscription_is_refused():
    with pytest.raises(ValueError, match="unpack"):
        Subscription.decode(b"\x00\x02\x00")


NAMELESS = struct.pack(">h", 0) + number(1) + b"\xff\xff" + number(0)


def test_arrays_that_are_null_hold_nothing():
    null = b"\xff\xff\xff\xff"
    assert Subscription.decode(b"\x00\x01" + null * 3) == Subscription(frozenset())


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x02", b"\x00\x02\x7f\xff\xff\xff", b"{}" * 40, NAMELESS]
)
def test_a_member_whose_subscription_cannot_be_read_asks_for_nothing(data):
    with capture_logs() as logs:
        assert _subscription_of("stranger", data) == Subscription(frozenset())
    assert [line["event"] for line in logs] == ["subscription_not_read"]
