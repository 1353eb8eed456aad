"""A group that stands still though events wait is noticed; one that has nothing to do is not."""

import pytest
from aiokafka import TopicPartition

from stream.monitor.progress import Standstill

TP = TopicPartition("batches", 0)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def standstill(clock):
    return Standstill(30, clock)


def looked(standstill, clock, at, committed, end):
    clock.now = at
    return standstill.look({TP: committed}, {TP: end})


def test_a_position_that_has_stood_for_too_long_is_named(standstill, clock):
    assert looked(standstill, clock, 0, 5, 9) == []
    assert looked(standstill, clock, 29, 5, 9) == []
    assert looked(standstill, clock, 30, 5, 9) == [TP]


def test_so_is_a_group_that_never_committed(standstill, clock):
    looked(standstill, clock, 0, None, 9)
    assert looked(standstill, clock, 30, None, 9) == [TP]


def test_a_position_that_moves_is_not(standstill, clock):
    looked(standstill, clock, 0, 5, 9)
    looked(standstill, clock, 29, 6, 9)
    assert looked(standstill, clock, 58, 6, 9) == []


def test_nor_is_one_after_which_nothing_waited_until_now(standstill, clock):
    looked(standstill, clock, 0, 9, 9)
    looked(standstill, clock, 100, 9, 9)
    assert looked(standstill, clock, 101, 9, 12) == []


@pytest.mark.parametrize("again", [lambda s: s.moves(TP), lambda s: s.forget()])
def test_time_counts_anew_when_it_was_none(standstill, clock, again):
    looked(standstill, clock, 0, 5, 9)
    again(standstill)
    assert looked(standstill, clock, 30, 5, 9) == []
