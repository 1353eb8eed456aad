"""What the error codes of a broker's reply mean for a transaction."""

import pytest
from aiokafka.errors import (
    ConcurrentTransactions,
    DuplicateSequenceNumber,
    InvalidProducerEpoch,
    InvalidTxnState,
    NotCoordinatorError,
    NotLeaderForPartitionError,
    OperationNotAttempted,
    OutOfOrderSequenceNumber,
    TopicAuthorizationFailedError,
)
from hypothesis import given
from hypothesis import strategies as st

from stream.kafka.broker_errors import Answer, Fenced, answer_in

OK = 0
PRODUCER_FENCED = 90
LATER = st.sampled_from(
    [OK, ConcurrentTransactions.errno, NotCoordinatorError.errno, NotLeaderForPartitionError.errno]
)


def test_no_error_is_done():
    assert answer_in([OK, OK]) is Answer.DONE


def test_what_a_partition_has_already_is_done():
    assert answer_in([DuplicateSequenceNumber.errno]) is Answer.DONE


def test_the_end_of_the_former_transaction_is_soon_written():
    assert answer_in([OK, ConcurrentTransactions.errno]) is Answer.SOON


def test_a_partition_that_was_left_out_does_not_hide_why():
    codes = [OperationNotAttempted.errno, ConcurrentTransactions.errno]
    assert answer_in(codes) is Answer.SOON


def test_a_moved_coordinator_is_looked_for():
    codes = [ConcurrentTransactions.errno, NotCoordinatorError.errno]
    assert answer_in(codes) is Answer.ELSEWHERE


@given(st.lists(LATER), st.sampled_from([InvalidProducerEpoch.errno, PRODUCER_FENCED]))
def test_a_newer_owner_counts_more_than_anything(codes, fenced):
    with pytest.raises(Fenced):
        answer_in([*codes, fenced])


@given(
    st.lists(LATER),
    st.sampled_from([InvalidTxnState, OutOfOrderSequenceNumber, TopicAuthorizationFailedError]),
)
def test_a_refusal_is_never_asked_again(codes, refusal):
    with pytest.raises(refusal):
        answer_in([*codes, refusal.errno])
