"""What a broker's error codes mean for a transaction under way."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from aiokafka.errors import (
    ConcurrentTransactions,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    DuplicateSequenceNumber,
    IllegalGenerationError,
    InvalidProducerEpoch,
    KafkaStorageError,
    LeaderNotAvailableError,
    NotCoordinatorError,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
    NotLeaderForPartitionError,
    OperationNotAttempted,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
)

from stream.kafka.replies import error_of

# A producer with the same transactional id has a newer epoch. aiokafka 0.14 has no class for 90.
_FENCED: Final = frozenset({InvalidProducerEpoch.errno, 90})
# The group has gone on without this member (KIP-447). aiokafka 0.14 has no class for 82: a member with
# the same instance name has come (KIP-345).
_NO_MEMBER: Final = frozenset({UnknownMemberIdError.errno, 82})
# Or it deals its partitions anew, with this member or without.
_OLD_GENERATION: Final = frozenset({IllegalGenerationError.errno, RebalanceInProgressError.errno})
# Written before (the answer was lost), or another partition of the request says why it was not.
_DONE: Final = frozenset({0, DuplicateSequenceNumber.errno, OperationNotAttempted.errno})
_RETRY_SOON: Final = ConcurrentTransactions.errno
_RETRY_ELSEWHERE: Final = frozenset(
    error.errno
    for error in (
        CoordinatorLoadInProgressError,
        CoordinatorNotAvailableError,
        KafkaStorageError,
        LeaderNotAvailableError,
        NotCoordinatorError,
        NotEnoughReplicasAfterAppendError,
        NotEnoughReplicasError,
        NotLeaderForPartitionError,
        RequestTimedOutError,
        UnknownTopicOrPartitionError,
    )
)


class Fenced(Exception):
    """Another producer took the transactional id over, or the group gave the partition away."""


class GenerationRefused(Fenced):
    """The group is in a newer generation than the one that was named. Nothing was committed.

    A member that keeps its partitions may try again in the new one.
    """


class ErrorClass(Enum):
    """What to do next with a request."""

    DONE = "nothing: it is done"
    RETRY_SOON = "ask again at once: the end of the id's former transaction is being written"
    RETRY_ELSEWHERE = "ask again later: another broker is, or will be, the one to ask"


def classify_error(codes: Iterable[int]) -> ErrorClass:
    """Return what the error codes of one reply say together.

    Asking again is safe: nothing was done where a code says so, and records carry sequence numbers.

    Raises:
        Fenced: the transactional id has a newer owner, or the group has gone on without the member.
        GenerationRefused: or it is in a newer generation.
        KafkaError: the broker refuses; asking again would not help.
    """
    found = set(codes)
    if found & _FENCED:
        raise Fenced("a producer with a newer epoch has the transactional id")
    if found & _NO_MEMBER:
        raise Fenced("the group has gone on without this member")
    if found & _OLD_GENERATION:
        raise GenerationRefused("the group is in a newer generation")
    refused = found - _DONE - _RETRY_ELSEWHERE - {_RETRY_SOON}
    if refused:
        raise error_of(min(refused))
    if found & _RETRY_ELSEWHERE:
        return ErrorClass.RETRY_ELSEWHERE
    if _RETRY_SOON in found:
        return ErrorClass.RETRY_SOON
    if OperationNotAttempted.errno in found:  # and nothing says why
        raise error_of(OperationNotAttempted.errno)
    return ErrorClass.DONE
