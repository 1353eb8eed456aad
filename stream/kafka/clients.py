"""Clients of Kafka, not started: every consumer, producer and admin client of ours is made here.

Readers see committed records only, unless their name says otherwise. Start one with
:func:`stream.kafka.connection.start`.

All of them ask the configured addresses anew when they reach none of the brokers that they know. aiokafka
0.14 asks them once; brokers that all come back elsewhere are lost to it for ever (KIP-899 is the same for
the Java client).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

from stream.kafka.connection import connection_options, without_client
from stream.kafka.cooperative.coordinator import CooperativeSticky
from stream.kafka.private import (
    ask_elsewhere,
    client_of,
    coordinate_by_assignor,
    mistrust_metadata,
)
from stream.kafka.reachability import metadata
from stream.kafka.reading import BoundedConsumer, Bounds
from stream.kafka.throttling import tell_of_throttling
from stream.settings import KafkaSettings

COMMITTED: Final = "read_committed"
_ALL: Final = "read_uncommitted"

_log = structlog.get_logger(__name__)

coordinate_by_assignor()


def observer(kafka: KafkaSettings, *, asks_about: str | None = None) -> AIOKafkaConsumer:
    """Return a reader that joins no group and takes no partition from anybody.

    Assign it partitions by hand; it begins at the first record unless it seeks.

    Args:
        kafka: connection.
        asks_about: a group whose committed offsets it can ask for.
    """
    return _reader(BoundedConsumer, connection_options(kafka), COMMITTED, group_id=asks_about)


def uncommitted_observer(kafka: KafkaSettings) -> AIOKafkaConsumer:
    """Return an :func:`observer` that sees records of open and of aborted transactions, too."""
    return _reader(BoundedConsumer, connection_options(kafka), _ALL)


def offset_observer(kafka: KafkaSettings) -> AIOKafkaConsumer:
    """Return an observer that is asked where partitions end, open transactions included; it reads nothing."""
    return _reader(AIOKafkaConsumer, connection_options(kafka), _ALL)


def group_reader(
    kafka: KafkaSettings,
    group: str | None,
    begin: Literal["earliest", "latest"] = "earliest",
    wait_ms: int = 500,
) -> AIOKafkaConsumer:
    """Return a reader in the name of a group. It commits what it is told to, never by itself.

    Args:
        kafka: connection.
        group: that it joins when it subscribes; None: none.
        begin: where, if the group has committed nothing.
        wait_ms: for how long a broker that has nothing waits before it says so.
    """
    return _reader(
        BoundedConsumer,
        connection_options(kafka),
        COMMITTED,
        group_id=group,
        auto_offset_reset=begin,
        fetch_max_wait_ms=wait_ms,
    )


def group_member(
    connection: Mapping[str, Any], group: str, batch_bytes: int, **options: Any
) -> AIOKafkaConsumer:
    """Return a member of a group that commits by transactions, and stops only for partitions that it loses.

    Args:
        connection: as of :func:`~stream.kafka.connection.connection_options`.
        group: that it joins.
        batch_bytes: how large a batch of records may become.
        options: timeouts and sizes, as ``AIOKafkaConsumer`` calls them.
    """
    return _reader(
        BoundedConsumer,
        connection,
        COMMITTED,
        group_id=group,
        bounds=Bounds(batch_bytes=batch_bytes),
        partition_assignment_strategy=(CooperativeSticky,),
        **options,
    )


def idempotent_producer(kafka: KafkaSettings, **options: Any) -> AIOKafkaProducer:
    """Return a producer whose retries double nothing, and that waits for all in-sync replicas.

    Args:
        kafka: connection.
        options: batching, as ``AIOKafkaProducer`` calls it.
    """
    return _producer(kafka, enable_idempotence=True, acks="all", **options)


def transactional_producer(
    kafka: KafkaSettings, transactional_id: str, timeout_ms: int
) -> AIOKafkaProducer:
    """Return aiokafka's own transactional producer.

    Args:
        kafka: connection.
        transactional_id: starting it shuts its former owner out.
        timeout_ms: after which the broker aborts a transaction that is not ended.
    """
    return _producer(
        kafka,
        transactional_id=transactional_id,
        transaction_timeout_ms=timeout_ms,
        acks="all",
    )


def bulk_producer(kafka: KafkaSettings, batch_bytes: int, linger_ms: int = 0) -> AIOKafkaProducer:
    """Return a producer that is fast and promises little: for benchmarks.

    Args:
        kafka: connection.
        batch_bytes: of a batch, at most.
        linger_ms: how long it waits for a batch to fill.
    """
    return _producer(kafka, linger_ms=linger_ms, max_batch_size=batch_bytes)


def admin_client(kafka: KafkaSettings) -> AIOKafkaAdminClient:
    """Return a client that creates, describes and deletes."""
    connection = connection_options(kafka)
    admin = AIOKafkaAdminClient(**connection)
    _prepare(client_of(admin), connection)
    return admin


def bare_client(connection: Mapping[str, Any]) -> AIOKafkaClient:
    """Return connections and metadata alone, for requests of our own.

    Args:
        connection: as of :func:`~stream.kafka.connection.connection_options`.
    """
    client = AIOKafkaClient(**connection)
    _prepare(client, connection)
    return client


def _reader(
    kind: Callable[..., AIOKafkaConsumer],
    connection: Mapping[str, Any],
    isolation: str,
    **options: Any,
) -> AIOKafkaConsumer:
    usual: dict[str, Any] = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
    consumer = kind(**connection, isolation_level=isolation, **(usual | options))
    _prepare(client_of(consumer), connection)
    return consumer


def _producer(kafka: KafkaSettings, **options: Any) -> AIOKafkaProducer:
    connection = connection_options(kafka)
    producer = AIOKafkaProducer(**connection, **options)
    _prepare(producer.client, connection)
    return producer


def _prepare(client: AIOKafkaClient, connection: Mapping[str, Any]) -> None:
    """Give connections what aiokafka's lack: eyes for quotas, a memory for addresses, doubts."""
    tell_of_throttling(client)
    servers = connection["bootstrap_servers"]

    async def ask_anew(cluster: Any, topics: Any) -> bool:
        # For the same topics: a client that hears of none believes them to be gone.
        found = await metadata(servers, without_client(connection), topics)
        if found is None or not found.brokers:
            return False
        cluster.update_metadata(found)
        _log.info("brokers_asked_for_anew", servers=servers)
        return True

    ask_elsewhere(client, ask_anew)
    mistrust_metadata(client)
