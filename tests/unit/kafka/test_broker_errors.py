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

from stream.kafka.broker_errors import ErrorClass, Fenced, classify_error

OK = 0
PRODUCER_FENCED = 90
LATER = st.sampled_from(
    [OK, ConcurrentTransactions.errno, NotCoordinatorError.errno, NotLeaderForPartitionError.errno]
)


def test_no_error_is_done():
    assert classify_error([OK, OK]) is ErrorClass.DONE


def test_what_a_partition_has_already_is_done():
    assert classify_error([DuplicateSequenceNumber.errno]) is ErrorClass.DONE


def test_the_end_of_the_former_transaction_is_soon_written():
    assert classify_error([OK, ConcurrentTransactions.errno]) is ErrorClass.RETRY_SOON


def test_a_partition_that_was_left_out_does_not_hide_why():
    codes = [OperationNotAttempted.errno, ConcurrentTransactions.errno]
    assert classify_error(codes) is ErrorClass.RETRY_SOON


def test_a_moved_coordinator_is_looked_for():
    codes = [ConcurrentTransactions.errno, NotCoordinatorError.errno]
    assert classify_error(codes) is ErrorClass.RETRY_ELSEWHERE


@given(st.lists(LATER), st.sampled_from([InvalidProducerEpoch.errno, PRODUCER_FENCED]))
def test_a_newer_owner_counts_more_than_anything(codes, fenced):
    with pytest.raises(Fenced):
        classify_error([*codes, fenced])


@given(
    st.lists(LATER),
    st.sampled_from([InvalidTxnState, OutOfOrderSequenceNumber, TopicAuthorizationFailedError]),
)
def test_a_refusal_is_never_asked_again(codes, refusal):
    with pytest.raises(refusal):
        classify_error([*codes, refusal.errno])
