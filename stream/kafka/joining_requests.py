"""Requests of a transaction that partitions join by being written to (KIP-890, part 2).

aiokafka 0.14 knows none of them: they are defined here, all but the group's, which is
:class:`stream.kafka.membership.JoiningOffsetCommit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactBytes, Int16, Int32, Int64

from stream.kafka.by_topic import by_topic
from stream.kafka.flexible import NO_TAGS, STRING, groups, message

_ALL_IN_SYNC_REPLICAS: Final = -1


class _ProduceReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 0
    API_VERSION = 12
    SCHEMA = message(
        (
            "topics",
            groups(
                ("topic", STRING),
                (
                    "partitions",
                    groups(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("offset", Int64),
                        ("timestamp", Int64),
                        ("log_start_offset", Int64),
                        ("record_errors", groups(("index", Int32), ("error_message", STRING))),
                        ("error_message", STRING),
                    ),
                ),
            ),
        ),
        ("throttle_time_ms", Int32),
    )


class _JoiningProduceV12(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 0
    API_VERSION = 12
    RESPONSE_TYPE = _ProduceReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        ("transactional_id", STRING),
        ("required_acks", Int16),
        ("timeout_ms", Int32),
        (
            "topics",
            groups(
                ("topic", STRING),
                ("partitions", groups(("partition", Int32), ("records", CompactBytes))),
            ),
        ),
    )


class JoiningProduce(Request[_JoiningProduceV12]):  # type: ignore[misc]  # likewise
    """Produce by which partitions join a transaction. All in-sync replicas answer for it.

    Args:
        transactional_id: of the producer.
        timeout_ms: that a leader may wait for its replicas.
        batches: encoded, by partition.
    """

    API_KEY = 0
    NEWEST = _JoiningProduceV12.API_VERSION

    def __init__(
        self,
        transactional_id: str,
        timeout_ms: int,
        batches: Mapping[TopicPartition, bytes | bytearray],
    ) -> None:
        self._transactional_id = transactional_id
        self._timeout_ms = timeout_ms
        self._batches = batches

    def build(self, request_struct_class: Any) -> Any:
        """Return the request as it goes over the wire."""
        topics = by_topic(
            (tp, (tp.partition, batch, NO_TAGS)) for tp, batch in self._batches.items()
        )
        return request_struct_class(
            self._transactional_id,
            _ALL_IN_SYNC_REPLICAS,
            self._timeout_ms,
            [(topic, partitions, NO_TAGS) for topic, partitions in topics.items()],
            NO_TAGS,
        )


class _EndReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 26
    API_VERSION = 5
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
    )


class _EndAndRenewV5(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 26
    API_VERSION = 5
    RESPONSE_TYPE = _EndReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        ("transactional_id", STRING),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("committed", Boolean),
    )


class EndAndRenew(Request[_EndAndRenewV5]):  # type: ignore[misc]  # likewise
    """EndTxn whose reply holds producer id and epoch of the next transaction.

    Sent again with the same id and epoch it is answered the same: the coordinator knows a repetition
    by the epoch that it has already made higher.

    Args:
        producer: transactional id, producer id and epoch of the transaction.
        commit: or abort.
    """

    API_KEY = 26
    NEWEST = _EndAndRenewV5.API_VERSION

    def __init__(self, producer: tuple[str, int, int], *, commit: bool) -> None:
        self._producer = producer
        self._commit = commit

    def build(self, request_struct_class: Any) -> Any:
        """Return the request as it goes over the wire."""
        return request_struct_class(*self._producer, self._commit, NO_TAGS)
