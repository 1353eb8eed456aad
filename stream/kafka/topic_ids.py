"""Which topic a name stands for: one that was deleted and made anew has another id (KIP-516).

aiokafka 0.14 knows names alone: the request is defined here. Offsets of the former topic mean nothing in
the new one, and may lie in the midst of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, Int16, Int32, Int64

from stream.kafka.flexible import NO_TAGS, STRING, groups, message
from stream.kafka.private import client_of
from stream.kafka.replies import taking_apart

_NAMELESS: Final = (0, 0)


async def topic_ids(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> dict[str, str]:
    """Return the id of each topic that there is; none where a broker is older than Kafka 2.8.

    Args:
        consumer: started; its connections are used.
        topics: names.

    Raises:
        KafkaError: no broker answers.
    """
    client = client_of(consumer)
    return await ids_of_topics(client.send, client.get_random_node(), topics)


async def ids_of_topics(
    send: Callable[[Any, Any], Awaitable[Any]], node: Any, topics: Iterable[str]
) -> dict[str, str]:
    """Return the same, asked of one broker.

    Args:
        send: sends a request to a broker and returns its reply.
        node: the broker.
        topics: names.

    Raises:
        KafkaError: it does not answer, or what it answers makes no sense.
    """
    try:
        reply = await send(node, _DescribeTopics(*topics))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return {}
    with taking_apart(reply):
        return {
            name: hexadecimal(high, low)
            for code, name, high, low, *_ in reply.topics
            if not code and (high, low) != _NAMELESS
        }


def hexadecimal(high: int, low: int) -> str:
    """Return an id that came as two signed halves."""
    return f"{high & (2**64 - 1):016x}{low & (2**64 - 1):016x}"


def halves(topic_id: str) -> tuple[int, int]:
    """Return what :func:`hexadecimal` was made of."""
    high, low = (
        int.from_bytes(bytes.fromhex(half), signed=True) for half in (topic_id[:16], topic_id[16:])
    )
    return high, low


class _TopicsReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            groups(
                ("node_id", Int32),
                ("host", STRING),
                ("port", Int32),
                ("rack", STRING),
            ),
        ),
        ("cluster_id", STRING),
        ("controller_id", Int32),
        (
            "topics",
            groups(
                ("error_code", Int16),
                ("name", STRING),
                ("id_high", Int64),
                ("id_low", Int64),
                ("is_internal", Boolean),
                (
                    "partitions",
                    groups(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                    ),
                ),
                ("operations", Int32),
            ),
        ),
    )


class _DescribeTopicsV12(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _TopicsReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        (
            "topics",
            groups(
                ("id_high", Int64),
                ("id_low", Int64),
                ("name", STRING),
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_operations", Boolean),
    )


class _DescribeTopics(Request[_DescribeTopicsV12]):  # type: ignore[misc]  # likewise
    API_KEY = 3

    def __init__(self, *topics: str) -> None:
        self._topics = topics

    def build(self, request_struct_class: Any) -> Any:
        named = [(0, 0, topic, NO_TAGS) for topic in self._topics]
        return request_struct_class(named, False, False, NO_TAGS)
