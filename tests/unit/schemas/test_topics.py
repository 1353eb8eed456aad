"""What the contract wants of topics, and what is more than it wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import TopicNames, TopicPolicy

DAY_MS = 24 * 60 * 60 * 1000
POLICY = TopicPolicy("reviews.labels", "decisions", retention_ms=7 * DAY_MS, max_message_bytes=1000)
FOR_EVER = TopicPolicy("reviews.judgements", "who decided", retention_ms=-1)
COMPACTED = TopicPolicy(
    "reviews.labels", "decisions", cleanup="compact", max_compaction_lag_ms=DAY_MS
)


@pytest.mark.parametrize("policy", list(TopicNames().policies()), ids=lambda policy: policy.name)
def test_a_topic_that_was_made_by_the_contract_falls_short_of_nothing(policy):
    assert policy.falls_short(policy.config()) == {}


@pytest.mark.parametrize("policy", list(TopicNames().policies()), ids=lambda policy: policy.name)
def test_the_broker_dates_what_our_topics_hold(policy):
    assert policy.falls_short({"message.timestamp.type": "CreateTime"}) == {
        "message.timestamp.type": "LogAppendTime"
    }


@given(st.integers(0, 7 * DAY_MS - 1))
def test_less_time_than_is_wanted_falls_short(kept_ms):
    assert POLICY.falls_short({"retention.ms": str(kept_ms)}) == {"retention.ms": str(7 * DAY_MS)}


@given(st.one_of(st.just(-1), st.integers(7 * DAY_MS, 10**15)))
def test_what_is_kept_for_longer_is_fine(kept_ms):
    assert POLICY.falls_short({"retention.ms": str(kept_ms)}) == {}


@given(st.integers(0, 10**15))
def test_no_time_is_for_ever(kept_ms):
    assert FOR_EVER.falls_short({"retention.ms": str(kept_ms)}) == {"retention.ms": "-1"}


@pytest.mark.parametrize(("most", "wanted"), [(999, {"max.message.bytes": "1000"}), (1001, {})])
def test_larger_messages_are_fine_and_smaller_ones_are_not(most, wanted):
    assert POLICY.falls_short({"max.message.bytes": str(most)}) == wanted


@pytest.mark.parametrize(
    ("lag_ms", "wanted"),
    [(DAY_MS + 1, {"max.compaction.lag.ms": str(DAY_MS)}), (DAY_MS - 1, {})],
)
def test_earlier_compaction_is_fine_and_later_is_not(lag_ms, wanted):
    assert COMPACTED.falls_short({"max.compaction.lag.ms": str(lag_ms)}) == wanted


@pytest.mark.parametrize("said", ["", "unlimited", "7d", "1e9", None])
def test_what_is_no_number_falls_short(said):
    assert POLICY.falls_short({"retention.ms": said}) == {"retention.ms": str(7 * DAY_MS)}


def test_another_way_of_cleaning_falls_short():
    assert COMPACTED.falls_short({"cleanup.policy": "delete"}) == {"cleanup.policy": "compact"}


def test_nothing_is_wanted_of_somebody_elses_topic():
    theirs = next(iter(TopicNames(existing="orders").policies()))
    assert theirs.falls_short({"cleanup.policy": "compact", "retention.ms": "1"}) == {}
