"""Assignments are even, move little, and give nobody what somebody still has."""

from collections import Counter
from itertools import chain

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from stream.kafka.cooperative.assignor import deal
from stream.kafka.cooperative.subscription import Subscription

TOPICS = frozenset({"reviews"})


def partitions(count):
    return [TopicPartition("reviews", number) for number in range(count)]


def joined(claims, dealt, generation):
    """What members claim when they join again: what they were given, and not what they gave up."""
    return {
        member: Subscription(claim.topics, dealt.given[member], generation)
        for member, claim in claims.items()
    }


def settled(count, members):
    """Members among whom everything was dealt."""
    claims = {member: Subscription(TOPICS) for member in members}
    return joined(claims, deal(partitions(count), claims), 1)


@st.composite
def groups(draw):
    """Any number of partitions, owned in any way by any number of members; some are owned by nobody."""
    count = draw(st.integers(0, 40))
    members = draw(st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, unique=True))
    owners = draw(st.lists(st.sampled_from([None, *members]), min_size=count, max_size=count))
    claims = {
        member: Subscription(
            TOPICS,
            frozenset(
                tp for tp, owner in zip(partitions(count), owners, strict=True) if owner == member
            ),
            draw(st.integers(0, 3)),
        )
        for member in members
    }
    return partitions(count), claims


def twice(everything, claims):
    first = deal(everything, claims)
    return first, deal(everything, joined(claims, first, 9))


@given(groups())
def test_after_two_generations_all_are_dealt_evenly_and_nothing_moves_any_more(group):
    everything, claims = group
    _first, second = twice(everything, claims)
    third = deal(everything, joined(claims, second, 10))
    assert second.withheld == frozenset()
    assert third == second
    assert sorted(chain(*second.given.values())) == everything
    sizes = [len(mine) for mine in second.given.values()]
    assert max(sizes) - min(sizes) <= 1


@given(groups())
def test_nobody_is_given_what_another_claims(group):
    everything, claims = group
    dealt = deal(everything, claims)
    given_to = Counter(chain(*dealt.given.values()))
    assert set(given_to.values()) <= {1}
    for member, mine in dealt.given.items():
        for other, claim in claims.items():
            assert member == other or not mine & claim.owned
    assert dealt.withheld == set(everything) - given_to.keys()


@given(groups())
def test_a_second_generation_is_needed_only_if_something_was_withheld(group):
    everything, claims = group
    first, second = twice(everything, claims)
    assert (first.given == second.given) == (not first.withheld)


@given(groups())
def test_as_many_partitions_stay_as_an_even_deal_allows(group):
    everything, claims = group
    _first, last = twice(everything, claims)
    stay = sum(len(claim.owned & last.given[member]) for member, claim in claims.items())
    share, larger = divmod(len(everything), len(claims))
    counts = sorted((len(claim.owned) for claim in claims.values()), reverse=True)
    most = sum(min(owned, share + (rank < larger)) for rank, owned in enumerate(counts))
    assert stay == most


@given(groups())
def test_the_order_in_which_members_are_listed_means_nothing(group):
    everything, claims = group
    reverse = dict(reversed(claims.items()))
    assert deal(everything, claims) == deal(list(reversed(everything)), reverse)


def test_who_joins_gets_its_share_and_only_that_moves():
    before = settled(16, ["a", "b", "c"])
    claims = {**before, "d": Subscription(TOPICS)}
    first, second = twice(partitions(16), claims)
    assert first.given["d"] == frozenset()
    assert len(first.withheld) == 4
    assert second.given["d"] == first.withheld
    assert all(second.given[member] < before[member].owned for member in ("a", "b"))


def test_what_a_member_leaves_is_taken_over_at_once_and_nothing_else_moves():
    before = settled(16, ["a", "b", "c", "d"])
    del before["b"]
    dealt = deal(partitions(16), before)
    assert dealt.withheld == frozenset()
    assert all(claim.owned <= dealt.given[member] for member, claim in before.items())


def test_new_partitions_are_given_at_once_and_nothing_moves():
    before = settled(4, ["a", "b"])
    dealt = deal(partitions(6), before)
    assert dealt.withheld == frozenset()
    assert {member: len(mine) for member, mine in dealt.given.items()} == {"a": 3, "b": 3}
    assert all(claim.owned < dealt.given[member] for member, claim in before.items())


def test_partitions_of_a_deleted_topic_are_given_to_nobody():
    dealt = deal([], settled(4, ["a", "b"]))
    assert dealt.given == {"a": frozenset(), "b": frozenset()}
    assert dealt.withheld == frozenset()


def test_of_two_claims_that_of_the_later_generation_holds():
    (one,) = partitions(1)
    claims = {
        "a": Subscription(TOPICS, frozenset({one}), 4),
        "b": Subscription(TOPICS, frozenset({one}), 5),
    }
    assert deal([one], claims).given == {"a": frozenset(), "b": frozenset({one})}


def test_a_partition_that_two_claim_alike_is_given_up_by_both_first():
    (one,) = partitions(1)
    claims = {member: Subscription(TOPICS, frozenset({one}), 5) for member in "ab"}
    first, second = twice([one], claims)
    assert first.withheld == {one}
    assert second.given == {"a": frozenset({one}), "b": frozenset()}


def test_members_get_partitions_of_the_topics_that_they_read():
    other = TopicPartition("other", 0)
    claims = {
        "a": Subscription(TOPICS),
        "b": Subscription(frozenset({"other"})),
        "c": Subscription(frozenset()),
    }
    dealt = deal([*partitions(3), other, TopicPartition("nobody's", 0)], claims)
    assert dealt.given == {"a": frozenset(partitions(3)), "b": frozenset({other}), "c": frozenset()}
    assert dealt.withheld == frozenset()
