"""Asking what was decided about the last transaction of a transactional id (KIP-664).

aiokafka 0.14 does not ask: the request is defined here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.client import CoordinationType
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    IncompatibleBrokerVersion,
    NotCoordinatorError,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, Int16, Int32, Int64

from stream.kafka.flexible import NO_TAGS, STRING, groups, message, partitions_by_topic, raise_for
from stream.kafka.replies import taking_apart

_BACKOFF_SECONDS: Final = 0.1
_UNKNOWN_ID: Final = 105
# What stands in front of a broker, or is none, may not know the request.
_UNKNOWN_REQUEST: Final = 35
_COMMIT: Final = frozenset({"PrepareCommit", "CompleteCommit"})
_ONGOING: Final = "Ongoing"
# A transaction that is open is aborted when its id is initialised.
_ABORT: Final = frozenset({_ONGOING, "PrepareAbort", "CompleteAbort", "PrepareEpochFence"})
_MOVING: Final = (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    NotCoordinatorError,
)


@dataclass(frozen=True, slots=True)
class LastTransaction:
    """What a coordinator knows of a transactional id."""

    state: str
    """In Kafka's words; Empty: the id was initialised, and nothing was done with it since."""
    timeout_ms: int
    """With which the id was initialised."""
    producer_id: int
    epoch: int

    @property
    def is_open(self) -> bool:
        """Whether nobody has decided about it."""
        return self.state == _ONGOING

    @property
    def is_committed(self) -> bool | None:
        """Whether it was, or will be, committed; None: there is none since the id was initialised."""
        return True if self.state in _COMMIT else False if self.state in _ABORT else None


async def last_transaction(client: Any, transactional_id: str) -> LastTransaction | None:
    """Return what is known of an id's last transaction; None: nothing, or the broker does not say.

    To be asked before the id is initialised: after that the coordinator has forgotten it.

    Args:
        client: a started ``AIOKafkaClient``; its connections are used.
        transactional_id: whose.

    Raises:
        KafkaError: the broker cannot be reached or refuses.
    """
    while True:
        try:
            node = await client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
            reply = await client.send(node, DescribeTransaction(transactional_id))
            return transaction_in(reply, transactional_id)
        except IncompatibleBrokerVersion:  # before Kafka 3.0
            return None
        except _MOVING:
            await asyncio.sleep(_BACKOFF_SECONDS)


async def ongoing_since(client: Any, transactional_id: str) -> int | None:
    """Return since when a transaction is open, in milliseconds of the broker's clock; None: none is.

    None as well if the broker does not say.

    Args:
        client: a started ``AIOKafkaClient``; its connections are used.
        transactional_id: whose.

    Raises:
        KafkaError: the broker cannot be reached or refuses.
    """
    try:
        node = await client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
        reply = await client.send(node, DescribeTransaction(transactional_id))
    except IncompatibleBrokerVersion:
        return None
    code, state, _timeout_ms, started_ms, *_ = described(reply, transactional_id)
    if code in {_UNKNOWN_ID, _UNKNOWN_REQUEST} or state != _ONGOING:
        return None
    raise_for(code)
    return int(started_ms)


def transaction_in(reply: Any, transactional_id: str) -> LastTransaction | None:
    """Return what a reply about one transactional id says; None for nothing.

    Raises:
        KafkaError: the reply says so, or is about something else.
    """
    code, state, timeout_ms, _since, producer_id, epoch, *_ = described(reply, transactional_id)
    if code in {_UNKNOWN_ID, _UNKNOWN_REQUEST}:
        return None
    raise_for(code)
    return LastTransaction(state, timeout_ms, producer_id, epoch)


def described(reply: Any, transactional_id: str) -> list[Any]:
    """Return the fields of the reply to :class:`DescribeTransaction`, without the id.

    Raises:
        MalformedReply: it is about another one, or about none.
    """
    with taking_apart(reply):
        ((code, found, *fields),) = reply.transactions
        if found != transactional_id:
            raise ValueError(f"it is about {found!r}")
        return [code, *fields]


class _TransactionReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 65
    API_VERSION = 0
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        (
            "transactions",
            groups(
                ("error_code", Int16),
                ("transactional_id", STRING),
                ("state", STRING),
                ("timeout_ms", Int32),
                ("started_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                (
                    "topics",
                    partitions_by_topic(),
                ),
            ),
        ),
    )


class _DescribeTransactionsV0(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 65
    API_VERSION = 0
    RESPONSE_TYPE = _TransactionReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        ("transactional_ids", CompactArray(STRING)),
    )


class DescribeTransaction(Request[_DescribeTransactionsV0]):  # type: ignore[misc]  # likewise
    """DescribeTransactions for one id."""

    API_KEY = 65

    def __init__(self, transactional_id: str) -> None:
        self._id = transactional_id

    def build(self, request_struct_class: Any) -> Any:
        """Return the request as it goes over the wire."""
        return request_struct_class([self._id], NO_TAGS)
