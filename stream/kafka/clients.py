"""Clients of Kafka, not started: every consumer, producer and admin client of ours is made here.

Readers see committed records only, unless their name says otherwise. Start one with
:func:`stream.kafka.connection.start`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

from stream.kafka.connection import connection_options
from stream.kafka.reading import BoundedConsumer, Bounds
from stream.settings import KafkaSettings

COMMITTED: Final = "read_committed"
_ALL: Final = "read_uncommitted"


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
    kafka: KafkaSettings, group: str | None, begin: Literal["earliest", "latest"] = "earliest"
) -> AIOKafkaConsumer:
    """Return a reader in the name of a group. It commits what it is told to, never by itself.

    Args:
        kafka: connection.
        group: that it joins when it subscribes; None: none.
        begin: where, if the group has committed nothing.
    """
    options = connection_options(kafka)
    return _reader(BoundedConsumer, options, COMMITTED, group_id=group, auto_offset_reset=begin)


def group_member(
    connection: Mapping[str, Any], group: str, batch_bytes: int, **options: Any
) -> AIOKafkaConsumer:
    """Return a member of a group that commits by transactions.

    Args:
        connection: as of :func:`~stream.kafka.connection.connection_options`.
        group: that it joins.
        batch_bytes: how large a batch of records may become.
        options: timeouts and sizes, as ``AIOKafkaConsumer`` calls them.
    """
    bounds = Bounds(batch_bytes=batch_bytes)
    return _reader(BoundedConsumer, connection, COMMITTED, group_id=group, bounds=bounds, **options)


def idempotent_producer(kafka: KafkaSettings, **options: Any) -> AIOKafkaProducer:
    """Return a producer whose retries double nothing, and that waits for all in-sync replicas.

    Args:
        kafka: connection.
        options: batching, as ``AIOKafkaProducer`` calls it.
    """
    return AIOKafkaProducer(
        **connection_options(kafka), enable_idempotence=True, acks="all", **options
    )


def transactional_producer(
    kafka: KafkaSettings, transactional_id: str, timeout_ms: int
) -> AIOKafkaProducer:
    """Return aiokafka's own transactional producer.

    Args:
        kafka: connection.
        transactional_id: starting it shuts its former owner out.
        timeout_ms: after which the broker aborts a transaction that is not ended.
    """
    return AIOKafkaProducer(
        **connection_options(kafka),
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
    return AIOKafkaProducer(
        **connection_options(kafka), linger_ms=linger_ms, max_batch_size=batch_bytes
    )


def admin_client(kafka: KafkaSettings) -> AIOKafkaAdminClient:
    """Return a client that creates, describes and deletes."""
    return AIOKafkaAdminClient(**connection_options(kafka))


def bare_client(connection: Mapping[str, Any]) -> AIOKafkaClient:
    """Return connections and metadata alone, for requests of our own.

    Args:
        connection: as of :func:`~stream.kafka.connection.connection_options`.
    """
    return AIOKafkaClient(**connection)


def _reader(
    kind: Callable[..., AIOKafkaConsumer],
    connection: Mapping[str, Any],
    isolation: str,
    **options: Any,
) -> AIOKafkaConsumer:
    usual: dict[str, Any] = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
    return kind(**connection, isolation_level=isolation, **(usual | options))
