"""What a replay leaves is remembered exactly, in a note that Kafka keeps with an offset."""

from hypothesis import given
from hypothesis import strategies as st

from schemas import ReplayProgress
from stream.operations.replay_choice import MOST_NOTE_BYTES, NOTE_TOO_LONG, Left
from stream.operations.replay_progress import Reached

OFFSETS = st.sets(st.integers(0, 60), max_size=30)


def left_of(offsets):
    return Left().replaced(0, 100, [(offset, offset) for offset in offsets])


@given(OFFSETS)
def test_a_note_says_what_was_left(offsets):
    left = left_of(offsets)
    again = Left.from_note(left.to_note())
    assert list(again) == list(left)
    assert {offset for offset in range(100) if offset in again} == offsets


@given(OFFSETS, OFFSETS, st.integers(0, 60), st.integers(0, 60))
def test_a_span_is_replaced_and_the_rest_stays(offsets, others, a, b):
    first, last = min(a, b), max(a, b)
    inside = {offset for offset in others if first <= offset <= last}
    changed = left_of(offsets).replaced(first, last, [(offset, offset) for offset in inside])
    assert {offset for offset in range(100) if offset in changed} == {
        offset for offset in offsets if not first <= offset <= last
    } | inside


def test_neighbours_are_one_range_and_what_a_topic_has_dropped_is_gone():
    left = Left([(3, 5), (9, 9)]).replaced(6, 8, [(6, 8)])
    assert list(left) == [(3, 9)]
    assert list(left.from_(7)) == [(7, 9)]
    assert list(left.from_(10)) == []


def test_a_note_of_somebody_else_says_nothing():
    assert list(Left.from_note("see wiki!")) == list(Left.from_note("")) == []


@given(st.text("0123z+,-_ ", max_size=12), st.integers(0, 200))
def test_whatever_a_note_says_can_be_put_on_record(note, offset):
    left = list(Left.from_note(note).before(offset))
    assert ReplayProgress(topic="t", partition=0, position=offset, left=left).left == left


def test_a_note_says_nothing_of_what_stands_behind_its_offset():
    assert list(Left.from_note("5+a,5").before(9)) == [(5, 8)]
    assert list(Left.from_note("5,3+a").before(5)) == []


def test_a_sign_stands_for_more_than_a_note_holds_and_reads_as_nothing_left():
    many = Left((offset, offset) for offset in range(0, 10_000, 3))
    assert many.to_note() == NOTE_TOO_LONG
    assert list(Left.from_note(NOTE_TOO_LONG)) == []
    assert len(Left((o, o) for o in range(10**12, 10**12 + 1_500, 3)).to_note()) < MOST_NOTE_BYTES


@given(OFFSETS, OFFSETS, st.integers(0, 61), st.integers(0, 61))
def test_a_letter_waits_only_if_both_say_so(offsets, others, a, b):
    ours = Reached(a, left_of({o for o in offsets if o < a}))
    theirs = Reached(b, left_of({o for o in others if o < b}))
    both = ours.both(theirs)
    assert both == theirs.both(ours)

    def waiting(progress):
        return {o for o in range(62) if o >= progress.position or o in progress.left}

    assert waiting(both) == waiting(ours) & waiting(theirs)
    assert both.position == max(a, b)
    assert all(last < both.position for _, last in both.left)


class Compared(int):
    """A number that counts how often it is compared."""

    times = 0

    def __lt__(self, other):
        Compared.times += 1
        return int(self) < int(other)

    def __le__(self, other):
        Compared.times += 1
        return int(self) <= int(other)

    def __gt__(self, other):
        Compared.times += 1
        return int(self) > int(other)

    def __ge__(self, other):
        Compared.times += 1
        return int(self) >= int(other)


def test_a_letter_is_looked_up_among_many_without_looking_at_each():
    # A replay asks for each letter: fifteen thousand ranges took it most of a minute.
    left = Left((offset, offset) for offset in range(1, 20_000, 2))
    assert Compared(9_999) in left
    assert Compared(10_000) not in left
    assert Compared.times < 100
