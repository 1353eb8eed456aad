"""Fetching from the topic that was meant: by its id, not its name (KIP-516, Kafka 3.1 and later).

A topic that is deleted and made anew has the old name, and offsets from 0. aiokafka 0.14 fetches by name:
who was reading at offset 500 goes on at 500 of the new topic, and never sees what is before it. Asked by
id, the broker says that there is no such topic any more. Here that becomes what it means for a reader:
its position is gone, and aiokafka goes on from the beginning.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import structlog
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11
from aiokafka.protocol.types import CompactArray, CompactBytes, Int8, Int16, Int32, Int64

from stream.kafka.flexible import NO_TAGS, STRING, groups, message, raise_for
from stream.kafka.replies import taking_apart
from stream.kafka.topic_ids import halves, hexadecimal, ids_of_topics

# UNKNOWN_TOPIC_ID and INCONSISTENT_TOPIC_ID, of which aiokafka 0.14 has no classes.
_ANOTHER_TOPIC: Final = frozenset({100, 103})
_NOT_KNOWN: Final = -1

_log = structlog.get_logger(__name__)


class TopicMeant:
    """Which topic each name stood for when its positions were asked for.

    Args:
        send: sends a request to a node and returns the reply.
    """

    def __init__(self, send: Callable[..., Awaitable[Any]]) -> None:
        self._send = send
        self._ids: dict[str, str] = {}
        self._by_name = False

    async def learn(self, node: Any, topics: Iterable[str]) -> None:
        """Take the topics that have these names now for those that are meant.

        Call it before positions are asked for. Names that cannot be looked up are at the first fetch.

        Args:
            node: whom to ask.
            topics: names.
        """
        self._ids = {}
        if not self._by_name:
            with contextlib.suppress(KafkaError):
                self._ids = await self._now(node, topics)

    async def fetch(self, node: Any, request: FetchRequest, *args: Any, **options: Any) -> Any:
        """Return the reply to a fetch, as aiokafka reads it.

        Raises:
            KafkaError: as of the client.
        """
        names = {topic for topic, _ in request.topics}
        if not self._by_name and (unknown := names - self._ids.keys()):
            self._ids |= await self._now(node, unknown)
        # A rebalance may change what is meant while the broker waits for records.
        ids = {name: self._ids[name] for name in names & self._ids.keys()}
        if self._by_name or ids.keys() != names:
            return await self._send(node, request, *args, **options)
        try:
            reply = await self._send(node, _FetchById(request, ids), *args, **options)
        except (IncompatibleBrokerVersion, NotImplementedError):  # before Kafka 3.1
            self._by_name = True
            return await self._send(node, request, *args, **options)
        raise_for(reply.error_code)  # aiokafka would ask again at once, and for ever
        await self._name(reply, node, ids)
        return reply

    async def _name(self, reply: Any, node: Any, ids: dict[str, str]) -> None:
        """Put names in the place of ids, and say of a topic that was made anew that positions are gone."""
        names = {topic_id: name for name, topic_id in ids.items()}
        topics = []
        with taking_apart(reply):
            for high, low, partitions, *_ in reply.topics:
                topic_id = hexadecimal(high, low)
                name = names[topic_id]
                became = 0
                if any(error in _ANOTHER_TOPIC for _, error, *_ in partitions):
                    became = await self._look_again(node, name, topic_id)
                topics.append((name, _entries(partitions, became)))
        reply.topics = topics

    async def _look_again(self, node: Any, name: str, topic_id: str) -> int:
        """Return the error that tells aiokafka what became of a topic."""
        now = (await self._now(node, [name])).get(name)
        if now in {None, topic_id} or self._ids.get(name) != topic_id:
            # It was deleted; or the broker has yet to hear of it; or a rebalance has.
            return int(UnknownTopicOrPartitionError.errno)
        self._ids[name] = now
        _log.warning(
            "topic_recreated",
            topic=name,
            reason="it was deleted and made anew; it is read from its beginning",
        )
        return int(OffsetOutOfRangeError.errno)

    async def _now(self, node: Any, topics: Iterable[str]) -> dict[str, str]:
        return await ids_of_topics(self._send, node, topics)


def _entries(partitions: Iterable[Any], became: int) -> list[Any]:
    """Return a topic's partitions as aiokafka takes them apart, with what became of the topic."""
    return [
        (
            number,
            became if error in _ANOTHER_TOPIC else error,
            *ends,
            # Pairs: the flexible version has tags behind each.
            [(producer, first) for producer, first, _tags in aborted or ()],
            replica,
            data,
        )
        for number, error, *ends, aborted, replica, data, _tags in partitions
    ]


class _FetchReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 1
    API_VERSION = 13
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("session_id", Int32),
        (
            "topics",
            groups(
                ("id_high", Int64),
                ("id_low", Int64),
                (
                    "partitions",
                    groups(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("highwater_offset", Int64),
                        ("last_stable_offset", Int64),
                        ("log_start_offset", Int64),
                        (
                            "aborted_transactions",
                            groups(("producer_id", Int64), ("first_offset", Int64)),
                        ),
                        ("preferred_read_replica", Int32),
                        ("message_set", CompactBytes),
                    ),
                ),
            ),
        ),
    )


class _FetchV13(RequestStruct):  # type: ignore[misc]  # likewise
    API_KEY = 1
    API_VERSION = 13
    RESPONSE_TYPE = _FetchReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        ("replica_id", Int32),
        ("max_wait_time", Int32),
        ("min_bytes", Int32),
        ("max_bytes", Int32),
        ("isolation_level", Int8),
        ("session_id", Int32),
        ("session_epoch", Int32),
        (
            "topics",
            groups(
                ("id_high", Int64),
                ("id_low", Int64),
                (
                    "partitions",
                    groups(
                        ("partition", Int32),
                        ("current_leader_epoch", Int32),
                        ("fetch_offset", Int64),
                        ("last_fetched_epoch", Int32),
                        ("log_start_offset", Int64),
                        ("max_bytes", Int32),
                    ),
                ),
            ),
        ),
        (
            "forgotten_topics",
            groups(("id_high", Int64), ("id_low", Int64), ("partitions", CompactArray(Int32))),
        ),
        ("rack_id", STRING),
    )


class _FetchById(Request[_FetchV13]):  # type: ignore[misc]  # likewise
    API_KEY = 1

    def __init__(self, named: FetchRequest, ids: dict[str, str]) -> None:
        self._named = named
        self._ids = ids

    def build(self, request_struct_class: Any) -> Any:
        """Return the request as it goes over the wire."""
        named = self._named.build(FetchRequest_v11)
        topics = []
        for topic, partitions in self._named.topics:
            entries = [
                (number, _NOT_KNOWN, offset, _NOT_KNOWN, _NOT_KNOWN, most, NO_TAGS)
                for number, offset, most in partitions
            ]
            topics.append((*halves(self._ids[topic]), entries, NO_TAGS))
        return request_struct_class(
            named.replica_id,
            named.max_wait_time,
            named.min_bytes,
            named.max_bytes,
            named.isolation_level,
            named.session_id,
            named.session_epoch,
            topics,
            [],
            named.rack_id,
            NO_TAGS,
        )
