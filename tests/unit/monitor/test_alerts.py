"""Alerts with hysteresis."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.monitor.alerts import Alert, AlertRule

RULE = AlertRule("share", "Share", raise_at=0.4, clear_at=0.3, hold=60)
VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=100)


def feed(alert, values, step=10):
    return [alert.observe(value, i * step) for i, value in enumerate(values)]


def test_it_is_raised_once_the_value_has_stayed_high_for_the_hold():
    alert = Alert(RULE)
    feed(alert, [0.5] * 6)
    assert not alert.active
    alert.observe(0.5, 60)
    assert alert.active


def test_a_short_peak_raises_nothing():
    alert = Alert(RULE)
    feed(alert, [0.5, 0.5, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5])
    assert not alert.active


def test_between_the_levels_nothing_changes():
    alert = Alert(RULE)
    feed(alert, [0.5] * 7 + [0.35] * 50)
    assert alert.active


def test_it_is_cleared_once_the_value_has_stayed_low_for_the_hold():
    alert = Alert(RULE)
    feed(alert, [0.5] * 7 + [0.2] * 7)
    assert not alert.active


def test_silence_of_the_measure_changes_nothing():
    alert = Alert(RULE)
    feed(alert, [0.5] * 7 + [None] * 50)
    assert alert.active


def test_silence_of_the_measure_starts_the_hold_anew():
    alert = Alert(RULE)
    feed(alert, [0.5, 0.5, 0.5, None, 0.5, 0.5, 0.5, 0.5])
    assert not alert.active


def test_it_says_for_how_long_a_value_must_stay_until_it_is_raised():
    alert = Alert(RULE)
    assert alert.due_in == 60
    feed(alert, [0.5] * 4)
    assert alert.due_in == 30
    alert.observe(0.1, 40)
    assert alert.due_in == 60


def test_without_a_hold_one_value_is_enough():
    alert = Alert(AlertRule("lag", "Lag", 100, 10))
    assert alert.observe(100, 0)


@given(VALUES)
def test_it_tells_of_every_change_and_of_nothing_else(values):
    alert, before = Alert(RULE), False
    for i, value in enumerate(values):
        told = alert.observe(value, i * 10)
        assert told == (alert.active != before)
        before = alert.active


@given(VALUES)
def test_two_changes_are_never_closer_than_the_hold(values):
    told = [i * 10 for i, changed in enumerate(feed(Alert(RULE), values)) if changed]
    assert all(later - earlier >= RULE.hold for earlier, later in itertools.pairwise(told))


def test_a_rule_that_would_flicker_is_refused():
    with pytest.raises(ValueError, match="above"):
        AlertRule("x", "X", raise_at=0.1, clear_at=0.2)
