"""Whose transaction is open in a partition, and since when (KIP-664).

Its records, and all behind them, are read by nobody who reads what is committed. aiokafka 0.14 does
not ask: the requests are defined here. Who may not ask hears only that there is one: the producers
of a partition are told to whoever may read it, a transaction to whoever may describe its id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, Int16, Int32, Int64

from stream.kafka.flexible import NO_TAGS, STRING, groups, message, partitions_by_topic, raise_for
from stream.kafka.reading import moment_of
from stream.kafka.replies import taking_apart
from stream.kafka.transaction_state import DescribeTransaction, described

_NO_TRANSACTION: Final = -1
_REFUSED: Final = (TopicAuthorizationFailedError, TransactionalIdAuthorizationFailed)


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """The transaction that readers of a partition wait for.

    Attributes:
        since: when it began, or else when its producer last wrote; None: nobody says.
        transactional_id: its producer's; None: not told, or the coordinator knows of none.
        producer_id: as it stands in the log; None: not told.
        untold: what could not be found out, and why; empty: nothing.
    """

    since: datetime | None = None
    transactional_id: str | None = None
    producer_id: int | None = None
    untold: str = ""


async def open_transaction(client: Any, tp: TopicPartition) -> OpenTransaction:
    """Ask who has the oldest open transaction of a partition.

    Args:
        client: a started ``AIOKafkaClient``; its connections are used.
        tp: where reading stops before the end.
    """
    try:
        producers = await _producers(client, tp)
    except IncompatibleBrokerVersion:
        return OpenTransaction(untold="its producer, which a broker before Kafka 2.8 does not say")
    except KafkaError as error:
        return OpenTransaction(untold=f"its producer, {_why(error, f'Read on {tp.topic}')}")
    open_ones = [p for p in producers if p.first_offset != _NO_TRANSACTION]
    if not open_ones:  # it has ended meanwhile
        return OpenTransaction(untold="its producer, as the broker names none any more")
    oldest = min(open_ones, key=lambda producer: producer.first_offset)
    wrote = moment_of(oldest.last_timestamp)
    try:
        transactional_id = await _transactional_id(client, oldest.producer_id)
        if transactional_id is None:
            untold = "its transactional id, which no coordinator names, or we may not Describe"
            return OpenTransaction(wrote, None, oldest.producer_id, untold)
        began = await _began(client, transactional_id)
    except (KafkaError, NotImplementedError) as error:
        untold = f"its transactional id, {_why(error, 'Describe on it')}"
        return OpenTransaction(wrote, None, oldest.producer_id, untold)
    return OpenTransaction(began or wrote, transactional_id, oldest.producer_id)


@dataclass(frozen=True, slots=True)
class _Producer:
    producer_id: int
    last_timestamp: int
    first_offset: int


async def _producers(client: Any, tp: TopicPartition) -> list[_Producer]:
    leader = client.cluster.leader_for_partition(tp)
    if leader is None or leader < 0:
        raise KafkaError("the partition has no leader just now")
    reply = await client.send(leader, _DescribeProducers(tp))
    with taking_apart(reply):
        ((_, ((_, code, _, producers, _),), _),) = reply.topics
        raise_for(code)
        return [
            _Producer(producer_id, last_timestamp, first_offset)
            for producer_id, _, _, last_timestamp, _, first_offset, _ in producers
        ]


async def _transactional_id(client: Any, producer_id: int) -> str | None:
    # Each coordinator knows its own; there is no asking for the right one without the id.
    for broker in client.cluster.brokers():
        reply = await client.send(broker.nodeId, _ListTransactions(producer_id))
        raise_for(reply.error_code)
        for transactional_id, found, *_ in reply.transactions or ():
            if found == producer_id:
                return str(transactional_id)
    return None


async def _began(client: Any, transactional_id: str) -> datetime | None:
    node = await client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
    reply = await client.send(node, DescribeTransaction(transactional_id))
    code, _, _, started_ms, *_ = described(reply, transactional_id)
    raise_for(code)
    return moment_of(started_ms) if started_ms > 0 else None


def _why(error: Exception, right: str) -> str:
    if isinstance(error, _REFUSED):
        return f"which may not be asked without {right}"
    return f"as asking failed: {str(error) or type(error).__name__}"


class _ProducersReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 61
    API_VERSION = 0
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        (
            "topics",
            groups(
                ("name", STRING),
                (
                    "partitions",
                    groups(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("error_message", STRING),
                        (
                            "active_producers",
                            groups(
                                ("producer_id", Int64),
                                ("producer_epoch", Int32),
                                ("last_sequence", Int32),
                                ("last_timestamp", Int64),
                                ("coordinator_epoch", Int32),
                                ("current_txn_start_offset", Int64),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )


class _DescribeProducersV0(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 61
    API_VERSION = 0
    RESPONSE_TYPE = _ProducersReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        (
            "topics",
            partitions_by_topic(),
        ),
    )


class _DescribeProducers(Request[_DescribeProducersV0]):  # type: ignore[misc]  # likewise
    API_KEY = 61

    def __init__(self, tp: TopicPartition) -> None:
        self._tp = tp

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class([(self._tp.topic, [self._tp.partition], NO_TAGS)], NO_TAGS)


class _ListReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 66
    API_VERSION = 0
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_state_filters", CompactArray(STRING)),
        (
            "transactions",
            groups(
                ("transactional_id", STRING),
                ("producer_id", Int64),
                ("state", STRING),
            ),
        ),
    )


class _ListTransactionsV0(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 66
    API_VERSION = 0
    RESPONSE_TYPE = _ListReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        ("state_filters", CompactArray(STRING)),
        ("producer_id_filters", CompactArray(Int64)),
    )


class _ListTransactions(Request[_ListTransactionsV0]):  # type: ignore[misc]  # likewise
    API_KEY = 66

    def __init__(self, *producer_ids: int) -> None:
        self._producer_ids: Iterable[int] = producer_ids

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class([], list(self._producer_ids), NO_TAGS)
