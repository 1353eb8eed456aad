"""No position is committed after an event that was not taken in."""

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from stream.monitor.positions import Positions

TP = TopicPartition("batches", 0)


def on_their_way(*offsets):
    positions = Positions()
    for offset in offsets:
        positions.handed_on(TP, offset)
    return positions


def test_what_was_taken_in_is_committed_with_the_ends_of_transactions_after_it():
    positions = on_their_way(3)
    positions.took_in(TP, 3)
    assert positions.committable(TP, 6) == 6


def test_an_event_that_was_skipped_is_not_committed():
    positions = on_their_way(3, 4)
    positions.took_in(TP, 3)
    assert positions.committable(TP, 5) == 4


def test_nor_is_what_was_taken_in_after_one_that_was_skipped():
    positions = on_their_way(3, 4, 5)
    positions.took_in(TP, 3)
    positions.took_in(TP, 5)
    assert positions.committable(TP, 6) == 4


def test_a_skipped_event_that_comes_again_is_committed_when_it_is_taken_in():
    positions = on_their_way(3, 4, 3, 4)
    for offset in (3, 4):
        positions.took_in(TP, offset)
    assert positions.committable(TP, 5) == 5


def test_a_partition_of_which_nothing_came_is_committed_as_it_is():
    assert Positions().committable(TP, 7) == 7


@given(st.lists(st.booleans(), max_size=30))
def test_all_before_the_position_was_taken_in(taken):
    positions = on_their_way(*range(len(taken)))
    for offset, was in enumerate(taken):
        if was:
            positions.took_in(TP, offset)
    assert all(taken[: positions.committable(TP, len(taken))])
