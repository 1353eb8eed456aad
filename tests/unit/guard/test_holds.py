"""What is held follows from the topic alone: the same for all, whatever else is written there."""

import pytest
import structlog

from schemas import Category, GuardDecision, encode
from stream.guard.holds import Holds
from stream.guard.sealing import DecisionSeal, warn_if_anybody_decides
from stream.guard.topic import take
from stream.monitor.faust_app import read_decisions
from stream.settings import GuardSettings

KIDS = Category("kids")
SEAL = DecisionSeal(GuardSettings(key="a key of sixteen or more"), "reviews")
UNSEALED = DecisionSeal(GuardSettings(), "reviews")


def decision(number, action, category=KIDS, model="m1", seal=SEAL, **fields):
    made = GuardDecision(
        category=category,
        model_version=model,
        number=number,
        action=action,
        decided_by="monitor" if action == "held" else "ann",
        **fields,
    )
    return seal.sealed(made)


def held_after(*decisions, seal=SEAL):
    holds = Holds(seal)
    for offset, one in enumerate(decisions):
        take(holds, one if isinstance(one, bytes | None) else encode(one), offset)
    return holds.held("m1")


HELD, RELEASED = decision(1, "held"), decision(2, "released")


def test_a_category_is_held_until_it_is_released_and_can_be_held_again():
    assert held_after(HELD) == {KIDS}
    assert held_after(HELD, RELEASED) == frozenset()
    assert held_after(HELD, RELEASED, decision(3, "held")) == {KIDS}


def test_what_is_decided_delivered_or_copied_twice_changes_nothing():
    assert held_after(HELD, HELD, RELEASED, HELD) == frozenset()
    assert held_after(HELD, RELEASED, decision(3, "held"), RELEASED) == {KIDS}


def test_a_new_model_version_begins_with_nothing_held_and_the_old_one_stays_held():
    holds = Holds(SEAL)
    holds.apply(HELD)
    assert holds.held("m2") == frozenset()
    holds.apply(decision(1, "held", model="m2"))
    holds.apply(decision(2, "released", model="m2"))
    assert holds.held("m1") == {KIDS}


@pytest.mark.parametrize(
    "said",
    [
        None,
        b"",
        b"{",
        decision(2, "released", seal=UNSEALED),
        decision(2, "released").model_copy(update={"seal": "00"}),
        decision(2, "released").model_copy(update={"decided_by": "eve"}),
        decision(2, "released", seal=DecisionSeal(GuardSettings(key="x" * 20), "reviews")),
        decision(
            2, "released", seal=DecisionSeal(GuardSettings(key="a key of sixteen or more"), "p")
        ),
        decision(3, "released"),
        decision(2, "held"),
    ],
    ids=lambda said: type(said).__name__,
)
def test_nobody_opens_a_category_by_writing_to_the_topic_without_the_key(said):
    assert held_after(HELD, said) == {KIDS}


def test_nobody_holds_a_category_without_the_key():
    assert held_after(decision(1, "held", seal=UNSEALED)) == frozenset()


def test_without_a_key_who_may_write_the_topic_decides():
    assert held_after(decision(1, "held", seal=UNSEALED), seal=UNSEALED) == {KIDS}


@pytest.mark.parametrize(
    ("mode", "key", "told"),
    [("hold", None, True), ("hold", "a key of sixteen or more", False), ("alarm", None, False)],
)
def test_where_decisions_count_without_a_seal_the_log_says_so(mode, key, told):
    with structlog.testing.capture_logs() as logs:
        warn_if_anybody_decides(GuardSettings(mode=mode, key=key))
    assert [log["event"] for log in logs] == ["guard_decisions_need_no_seal"] * told


def test_what_a_table_did_not_keep_counts_when_it_is_delivered_again():
    holds = Holds(SEAL)
    assert holds.apply(HELD) is None
    assert holds.apply(RELEASED) is None
    holds.restore([HELD])
    assert holds.held("m1") == {KIDS}
    assert holds.apply(RELEASED) is None
    assert holds.held("m1") == frozenset()
    assert holds.history == [HELD, RELEASED]


def test_a_topic_that_is_read_a_second_time_says_nothing_of_what_counted():
    holds = Holds(SEAL)
    forged = decision(2, "released", seal=UNSEALED)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            for offset, one in enumerate((HELD, forged, RELEASED)):
                take(holds, encode(one), offset)
    assert [log["offset"] for log in logs] == [1, 1]


def test_decisions_about_a_category_that_is_gone_do_not_keep_the_monitor_from_starting():
    kept = {
        f"{0:020d}": {**HELD.model_dump(mode="json"), "category": "gone"},
        f"{1:020d}": HELD.model_dump(mode="json"),
    }
    holds = Holds(SEAL)
    holds.restore(read_decisions(kept.items()))
    assert holds.held("m1") == {KIDS}
