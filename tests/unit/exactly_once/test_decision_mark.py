"""What was decided about a transaction is known until its end is written, whoever has begun to."""

import pytest

from stream.exactly_once.decision_mark import decided, is_being_ended, mark_of, unmarked
from stream.kafka.transaction_state import LastTransaction

USUAL = 15_000


def last(state, timeout_ms=USUAL):
    return LastTransaction(state, timeout_ms, 7, 3)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("PrepareCommit", True),
        ("CompleteCommit", True),
        ("Ongoing", False),  # it is aborted when the id is initialised
        ("PrepareAbort", False),
        ("CompleteAbort", False),
        ("PrepareEpochFence", False),
        ("Empty", None),
        ("Dead", None),
    ],
)
def test_a_coordinator_says_what_became_of_a_transaction(state, said):
    assert decided(last(state)) is said
    assert not is_being_ended(last(state))


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize("state", ["Empty", "Ongoing", "CompleteCommit", "CompleteAbort"])
def test_a_mark_says_it_whatever_state_the_coordinator_is_in_since(state, commit):
    marked = last(state, mark_of(commit=commit))
    assert decided(marked) is commit
    assert is_being_ended(marked) is (state == "Ongoing")


def test_no_other_producer_has_the_time_out_of_a_mark():
    marks = {mark_of(commit=True), mark_of(commit=False)}
    assert unmarked(USUAL) == USUAL
    assert not {unmarked(mark) for mark in marks} & marks
