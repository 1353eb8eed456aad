"""What the exactly-once package has to be told; who uses it makes these from its own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stream.exactly_once.negotiation import Negotiation


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionOptions:
    """Of the transactions that answer the input of one consumer group."""

    connection: Callable[[], Mapping[str, Any]]
    """Returns keyword arguments of any aiokafka client: servers, TLS, SASL, the timeout of requests.
    Every client asks anew: certificates may have been renewed."""
    group: str
    """The consumer group; its name and the partition make the transactional id."""
    timeout_ms: int
    """After which the broker aborts a transaction that is not ended."""
    request_timeout_ms: int
    """How long the leader of a partition may wait for its replicas."""
    compression: str = "none"
    """Of batches: none, gzip or lz4."""
    shared: bool = False
    """Whether all partitions of a member are answered in one transaction, or each in its own."""
    reads_always: bool = True
    """Whether the group reads all the time. Of a job that runs now and then it is no news that nothing
    is committed yet."""
    negotiation: Negotiation = field(default_factory=Negotiation)
    """Chooses the version of the transactions; producers with the same options share what it learns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberOptions:
    """Of one member of the group."""

    transactions: TransactionOptions
    name: str
    """The client's name, as brokers show it."""
    instance: str | None = None
    """The member's own name in the group (KIP-345): one that comes back gets its partitions again."""
    session_timeout_ms: int
    heartbeat_interval_ms: int
    fetch_max_bytes: int
    """Of one answer of a broker, a partition."""
    batch_max_bytes: int
    """A larger batch of records is not decompressed."""
    drain_seconds: float
    """How long a rebalance and the end wait for what is on its way."""
    stall_seconds: float
    """After which a partition that has input and commits nothing counts as standing still."""
