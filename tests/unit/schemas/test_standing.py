"""One rule of which label holds, whoever asks: queue, export, monitor, retraining."""

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import RANK, Category, Label, decode, encode, highest, precedence
from stream.monitor.decisions import Decisions
from stream.monitor.history import TimeRules
from tests.support.labels import START, label
from training.retrain.labels import standing


def test_the_higher_revision_holds_whoever_decided():
    assert precedence(label(by="llm", revision=10)) > precedence(label(by="person", revision=9))


@pytest.mark.parametrize(
    ("above", "below"), [("person", "ensemble"), ("ensemble", "llm"), ("llm", "model")]
)
def test_of_one_revision_the_rank_decides_whatever_the_time(above, below):
    assert precedence(label(by=above)) > precedence(label(by=below, minutes=9))
    assert RANK[above] > RANK[below]


def test_of_one_revision_and_rank_the_later_holds():
    assert precedence(label(minutes=1)) > precedence(label(minutes=0))


def test_a_label_without_time_zone_is_of_utc():
    naive = label().model_copy(update={"decided_at": START.replace(tzinfo=None)})
    assert precedence(naive)[:31] == precedence(label())[:31]


LABELS = st.builds(
    label,
    st.sampled_from([None, Category("footwear"), Category("kids")]),
    st.sampled_from(list(RANK)),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(["a", "b"]),
    withdrawn=st.booleans(),
)


@given(LABELS)
def test_the_way_over_kafka_does_not_change_it(one):
    assert precedence(decode(Label, encode(one))) == precedence(one)


def settled(labels):
    """What the monitor, which keeps one word a review, makes of labels one by one."""
    decisions = Decisions(TimeRules(60, 10, 60))
    for offset, one in enumerate(labels):
        decisions.apply(0, offset, one)
    return decisions.settled


@given(st.lists(LABELS, max_size=8).flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))))
def test_in_any_order_and_one_by_one_everybody_comes_to_the_same(both):
    given_order, another = both
    holds = highest(given_order)
    assert highest(another) == holds
    one_by_one = functools.reduce(lambda kept, x: highest([*kept.values(), x]), another, {})
    assert one_by_one == holds
    kept, _ = standing(another)
    assert {x.review_id: x for x in kept} == {
        i: x for i, x in holds.items() if not x.withdrawn and x.category is not None
    }
    assert settled(another) == sum(not x.withdrawn for x in holds.values())
