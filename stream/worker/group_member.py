"""A worker's settings as the options of the exactly-once package."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from stream.exactly_once.negotiation import Negotiation, TransactionVersion
from stream.exactly_once.options import MemberOptions, TransactionOptions
from stream.kafka.connection import connection_options
from stream.settings import Settings


def transaction_options(settings: Settings, group: str) -> TransactionOptions:
    """Return how a group publishes and commits.

    Args:
        settings: connection, compression and timeout.
        group: whose input is answered.
    """
    return TransactionOptions(
        connection=partial(connection_options, settings.kafka),
        group=group,
        timeout_ms=settings.worker.transaction_timeout_ms,
        request_timeout_ms=settings.kafka.request_timeout_ms,
        compression=settings.worker.compression,
        negotiation=Negotiation(TransactionVersion(settings.worker.transaction_version)),
    )


def member_options(settings: Settings) -> MemberOptions:
    """Return how a worker takes part in its group."""
    worker = settings.worker
    return MemberOptions(
        transactions=replace(
            transaction_options(settings, worker.group), shared=worker.transactions == "worker"
        ),
        name=worker.name,
        instance=worker.instance,
        session_timeout_ms=worker.session_timeout_ms,
        heartbeat_interval_ms=worker.heartbeat_interval_ms,
        fetch_max_bytes=worker.fetch_max_bytes,
        batch_max_bytes=worker.batch_max_bytes,
        drain_seconds=worker.drain_timeout,
        stall_seconds=worker.stall_seconds,
    )
