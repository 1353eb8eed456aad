"""Everything private of aiokafka that we rely on.

``tests/unit/kafka/test_private.py`` is its contract: a release that changes any of it fails there
first. A test of arrows sees to it that no other module reaches into what is not its own.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakSet

import structlog
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from aiokafka.consumer import consumer as consumers
from aiokafka.consumer import fetcher
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError
from aiokafka.structs import OffsetAndMetadata

# There is no public way to any of these.
# ruff: noqa: SLF001


_log = structlog.get_logger(__name__)

# What aiokafka raises at what no broker says: versions that end before they begin, a port of 70000, no
# list where one belongs.
_NONSENSE: Final = (AssertionError, ArithmeticError, LookupError, TypeError, ValueError)
# Weakly: tasks that a bootstrap begins inherit it, and connect for as long as the client lives.
_bootstrapping: ContextVar[WeakSet[Any] | None] = ContextVar("_bootstrapping", default=None)
_COORDINATORS_TASKS: Final = (
    "_coordination_task",
    "_heartbeat_task",
    "_commit_refresh_task",
    "_reset_committed_task",
)


def client_of(client: Any) -> Any:
    """Return the connections of a consumer or an admin client, for requests that it has no method for."""
    return client._client


def coordinator_of(consumer: Any) -> Any:
    """Return what a started consumer knows of its group's coordinator."""
    return consumer._coordinator


async def ask_coordinator(coordinator: Any, request: Any) -> Any:
    """Send a request to a group's coordinator and return its reply.

    Raises:
        KafkaError: it did not answer.
    """
    return await coordinator._send_req(request)


async def ask_broker(admin: Any, request: Any) -> Any:
    """Send a request that an admin client has no method for to any broker; return its reply.

    Raises:
        KafkaError: it did not answer.
    """
    return await admin._send_request(request)


async def known_partitions(client: Any, topic: str) -> Any:
    """Return a topic's partitions, asking the broker where they are not known.

    Raises:
        KafkaError: the topic does not exist, or may not be used.
    """
    return await client._wait_on_metadata(topic)


def connections_of(client: Any) -> list[Any]:
    """Return a client's connections; some may have ended, and wait to be replaced."""
    return list(client._conns.values())


def hear_closings(client: Any, ended: Callable[[Any], None]) -> None:
    """Be told of each connection as it closes, whoever closes it.

    Args:
        client: without connections as yet; one that exists tells nobody.
        ended: given the connection.
    """
    usual = client._on_connection_closed

    def closed(connection: Any, reason: Any) -> None:
        usual(connection, reason)
        ended(connection)

    client._on_connection_closed = closed


def abort_connections(client: Any) -> None:
    """Drop what waits to be sent: a graceful close would wait for a broker that is frozen."""
    for connection in connections_of(client):
        if connection._writer is not None:
            connection._writer.transport.abort()


def ask_elsewhere(client: Any, ask: Callable[[Any, Any], Awaitable[bool]]) -> None:
    """Let connections that reach none of the brokers they know ask for metadata in another way.

    Args:
        client: the connections, not started.
        ask: given what is known of the cluster, which it updates, and the topics; returns whether it did.
    """
    ask_those_known = client._metadata_update

    async def update(cluster: Any, topics: Any) -> bool:
        return await ask_those_known(cluster, topics) or await ask(cluster, topics)

    client._metadata_update = update


def mistrust_metadata(client: Any) -> None:
    """Let metadata that make no sense count as none.

    aiokafka would let them end its task that looks for brokers, and all would wait for it for ever. Nor does
    it close the connection that it first asks over, if it is cancelled meanwhile or cannot read the answer.

    Args:
        client: the connections, not started.
    """
    bootstrap, ask = client.bootstrap, client._metadata_update

    async def bootstrap_or_refuse() -> None:
        opened: WeakSet[Any] = WeakSet()
        outside = _bootstrapping.set(opened)
        try:
            await bootstrap()
        except BaseException as error:
            for connection in list(opened):
                connection.close()
            if not isinstance(error, _NONSENSE):
                raise
            raise KafkaConnectionError(
                f"what answers does not speak as a broker does: {error}"
            ) from error
        finally:
            _bootstrapping.reset(outside)

    async def update(cluster: Any, topics: Any) -> bool:
        try:
            updated: bool = await ask(cluster, topics)
        except _NONSENSE as error:
            _log.warning("metadata_not_understood", error=repr(error))
            return False
        return updated

    client.bootstrap = bootstrap_or_refuse
    client._metadata_update = update


def why_ended(consumer: Any) -> BaseException | None:
    """Return what has ended a consumer's part in its group, or its fetching; None: both go on.

    aiokafka begins them once. Without the first every poll fails, without the second all are empty.

    Args:
        consumer: a member of a group, started or not.
    """
    parts = (("_coordinator", "_coordination_task"), ("_fetcher", "_fetch_task"))
    for owner, name in parts:
        task = getattr(getattr(consumer, owner, None), name, None)
        if task is not None and task.done() and not task.cancelled():
            error: BaseException | None = task.exception()
            if error is not None:
                return error
    return None


def tasks_of(consumer: Any) -> list[asyncio.Task[Any]]:
    """Return those of a consumer's own tasks that have not ended.

    Args:
        consumer: started or not.
    """
    fetching, coordinator = consumer._fetcher, consumer._coordinator
    tasks = [
        getattr(fetching, "_fetch_task", None),
        *getattr(fetching, "_pending_tasks", ()),
        *(getattr(coordinator, name, None) for name in _COORDINATORS_TASKS),
        getattr(consumer._client, "_sync_task", None),
    ]
    return [task for task in tasks if task is not None and not task.done()]


def cancelled_tasks(consumer: Any) -> list[asyncio.Task[Any]]:
    """Return those of a consumer's own tasks that were cancelled and have not ended.

    Args:
        consumer: started or not.
    """
    return [task for task in tasks_of(consumer) if task.cancelling()]


async def leave_group(consumer: Any) -> None:
    """Tell a consumer's group that it leaves, if it is in one and has not said so."""
    leave = getattr(consumer._coordinator, "_maybe_leave_group", None)
    if leave is not None:
        await leave()


def sender_of(producer: Any) -> Any:
    """Return a producer's sender, which can be stopped without waiting; None: it never started."""
    return producer._sender


def unacknowledged_batches(producer: Any) -> int:
    """Return how many batches of a producer wait to be sent or acknowledged."""
    accumulator = producer._message_accumulator
    return len(accumulator._pending_batches) + len(accumulator._batches)


def isolate(consumer: Any, isolation: str) -> None:
    """Set the isolation level of a consumer that somebody else made.

    Args:
        consumer: not started: its fetcher, which reads the option, is made at the start.
        isolation: as ``AIOKafkaConsumer`` calls it.
    """
    consumer._isolation_level = isolation


def understand_connections() -> None:
    """Let what answers nonsense count as what cannot be connected to, in the whole process.

    Either is met by asking another broker, or the same one later. aiokafka would let it through to
    whoever sends a request.
    """
    connect = AIOKafkaConnection.connect

    @functools.wraps(connect)
    async def connect_or_refuse(connection: Any) -> Any:
        if (opened := _bootstrapping.get()) is not None:
            opened.add(connection)
        try:
            return await connect(connection)
        except OSError:  # of TLS some are ValueErrors, too
            raise
        except _NONSENSE as error:
            raise KafkaConnectionError(
                f"what answers at {connection.host}:{connection.port} does not speak as a broker "
                f"does: {error}"
            ) from error

    AIOKafkaConnection.connect = connect_or_refuse


def read_fetches_with(records: Callable[[Any, Callable[[Any], Any]], Any]) -> None:
    """Put a function between the bytes of a fetch and the fetcher, in the whole process.

    Args:
        records: given the bytes, and what aiokafka would have read them with.
    """
    usual = fetcher.MemoryRecords
    fetcher.MemoryRecords = lambda data: records(data, usual)


def coordinate_by_assignor() -> None:
    """Let a consumer's first assignor name the coordinator's class, in the whole process.

    Assignors without a ``coordinator`` get the usual one.
    """
    usual = consumers.GroupCoordinator

    def make(*args: Any, assignors: Any, **options: Any) -> Any:
        kind = getattr(assignors[0], "coordinator", usual)
        return kind(*args, assignors=assignors, **options)

    consumers.GroupCoordinator = make


async def metadata_is_known(client: Any) -> None:
    """Return when no update of the metadata is under way."""
    await client._maybe_wait_metadata()


def reassign(subscriptions: Any, partitions: Iterable[Any]) -> None:
    """Change what a subscribed consumer is assigned, and leave alone what stays.

    aiokafka replaces the whole assignment: fetches under way are thrown away, and positions asked for
    anew. What is new here is paused, at a position that means nothing: the fetcher asks for none.

    Args:
        subscriptions: the consumer's ``SubscriptionState``.
        partitions: all that are assigned from now on.
    """
    subscription = subscriptions.subscription
    wanted = frozenset(partitions)
    if subscription.assignment is None:
        subscriptions.assign_from_subscribed(set())
    assignment = subscription.assignment
    states = assignment._tp_state
    for tp in assignment.tps - wanted:
        # It stays among the states: a fetch that is under way will look for it.
        states[tp].pause()
        states[tp].update_committed(OffsetAndMetadata(fetcher.UNKNOWN_OFFSET, ""))
    for tp in wanted - assignment.tps:
        states[tp] = TopicPartitionState(assignment)
        states[tp].pause()
        states[tp].seek(0)
    assignment._topic_partitions = wanted
    subscriptions._notify_assignment_waiters()


class OutspokenAuthenticator(OAuthAuthenticator):  # type: ignore[misc]  # aiokafka ships no types
    """Says a token, and hears what is said against it, which aiokafka 0.14 leaves out."""

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        """Say the token.

        Raises:
            AuthenticationFailedError: the broker answered with a reason (RFC 7628, 3.2.3).
        """
        if payload:
            raise AuthenticationFailedError(payload.decode("utf-8", "replace"))
        step: tuple[bytes, bool] | None = await super().step(payload)
        return step


class TrialConnection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka ships no types
    """A connection that is made to see whether it can be."""

    def authenticator_oauth(self) -> OutspokenAuthenticator:
        """Return what says our token."""
        return OutspokenAuthenticator(sasl_oauth_token_provider=self._sasl_oauth_token_provider)
