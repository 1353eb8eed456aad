"""What is private of aiokafka and Faust and relied upon: a release that changes it fails here first.

The contract of ``stream/kafka/private.py``, and of what ``stream/monitor`` overrides in Faust.
"""

import asyncio
import inspect
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason, OAuthAuthenticator
from aiokafka.consumer import consumer as consumers
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import (
    CoordinatorGroupRebalance,
    GroupCoordinator,
    NoGroupCoordinator,
)
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import Sender
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords
from faust.transport.drivers import aiokafka as faust_driver
from mode.threads import QueueServiceThread, WorkerThread

from stream.errors import BrokerError
from stream.kafka import private
from stream.kafka.group_members import require_member
from stream.kafka.reading import BoundedConsumer
from tests.support.record_batches import TP, Fetches, batch

AIOKAFKAS = {"_coordinator": GroupCoordinator.__init__, "_fetcher": fetcher.Fetcher.__init__}
NOWHERE = "127.0.0.1:1"


def parameters(function):
    """The names of a function's parameters, without ``self``."""
    return [name for name in inspect.signature(function).parameters if name != "self"]


async def test_a_consumer_keeps_its_client_its_coordinator_and_its_isolation_level():
    consumer = AIOKafkaConsumer(bootstrap_servers=NOWHERE)
    try:
        assert isinstance(private.client_of(consumer), AIOKafkaClient)
        assert private.coordinator_of(consumer) is None  # until it starts
        private.isolate(consumer, "read_committed")
    finally:
        await consumer.stop()
    source = inspect.getsource(AIOKafkaConsumer.start)
    assert "self._coordinator = GroupCoordinator(" in source
    assert "isolation_level=self._isolation_level" in source


def test_a_group_coordinator_is_looked_for_asked_and_given_up_by_these_names():
    assert inspect.iscoroutinefunction(GroupCoordinator.ensure_coordinator_known)
    assert inspect.iscoroutinefunction(GroupCoordinator._send_req)
    assert parameters(GroupCoordinator._send_req) == ["request"]
    assert parameters(GroupCoordinator.coordinator_dead) == []


def test_a_group_coordinator_keeps_its_generation_and_the_members_id():
    source = inspect.getsource(GroupCoordinator.__init__)
    for name in ("self.generation =", "self.member_id ="):
        assert name in source


def test_a_consumer_makes_its_coordinator_by_a_name_that_can_be_replaced():
    assert "= GroupCoordinator(" in inspect.getsource(AIOKafkaConsumer.start)
    assert "assignors=self._partition_assignment_strategy," in inspect.getsource(
        AIOKafkaConsumer.start
    )
    assert consumers.GroupCoordinator is not GroupCoordinator  # clients has replaced it


def test_a_group_coordinator_has_what_the_cooperative_one_overrides_and_calls():
    for name, expected in {
        "_on_join_prepare": ["previous_assignment"],
        "_do_rejoin_group": ["subscription"],
        "_perform_assignment": ["response"],
        "_on_join_complete": ["generation", "member_id", "protocol", "member_assignment_bytes"],
        "_stop_heartbeat_task": [],
        "_start_heartbeat_task": [],
        "request_rejoin": [],
        "start_commit_offsets_refresh_task": ["assignment"],
        "_get_metadata_snapshot": [],
    }.items():
        assert parameters(getattr(GroupCoordinator, name)) == expected, name
    source = inspect.getsource(GroupCoordinator)
    for name in (
        *("_group_subscription", "_subscription", "_client", "_cluster", "_metadata_snapshot"),
        *("_session_timeout_ms", "_rebalance_timeout_ms", "_group_instance_id", "_heartbeat_task"),
    ):
        assert f"self.{name}" in source, name
    # Positional: ours names two of them otherwise.
    assert "self.generation, self.member_id, protocol, member_assignment_bytes" in source


def test_joining_sends_its_requests_through_the_coordinator_and_deals_by_it():
    source = inspect.getsource(CoordinatorGroupRebalance)
    assert source.count("await self._coordinator._send_req(request)") == 2
    assert "await self._coordinator._perform_assignment(response)" in source
    # A loop that joins once for each: there must be one.
    assert "for assignor in self._assignors:" in source


async def test_an_assignment_changes_without_being_replaced():
    subscriptions = SubscriptionState()
    subscriptions.subscribe({"t"})
    stays, goes, comes = (TopicPartition("t", number) for number in range(3))
    private.reassign(subscriptions, [stays, goes])
    subscriptions.seek(stays, 42)
    subscriptions.resume(stays)
    assignment = subscriptions.subscription.assignment
    asked = assignment.state_value(goes).fetch_committed()
    heard = subscriptions.wait_for_assignment()
    private.reassign(subscriptions, [stays, comes])
    assert subscriptions.subscription.assignment is assignment
    assert assignment.active
    assert subscriptions.assigned_partitions() == {stays, comes}
    assert subscriptions.paused_partitions() == {comes}
    assert assignment.state_value(stays).position == 42
    assert assignment.state_value(comes).has_valid_position  # or the fetcher asks for one
    assert assignment.state_value(goes).paused
    assert asked.done()  # or the fetcher would wait for it for ever
    assert heard.done()


def test_a_consumer_keeps_the_tasks_that_it_cancels_when_it_stops_by_these_names():
    kept = {
        "self._fetch_task": fetcher.Fetcher,
        "self._pending_tasks": fetcher.Fetcher,
        "self._coordination_task": GroupCoordinator,
        "self._heartbeat_task": GroupCoordinator,
        "self._commit_refresh_task": GroupCoordinator,
        "self._reset_committed_task": NoGroupCoordinator,
        "self._sync_task": AIOKafkaClient,
    }
    for name, owner in kept.items():
        assert f"{name} = " in inspect.getsource(owner)
    assert parameters(GroupCoordinator._maybe_leave_group) == []


def test_a_fetcher_asks_the_assignment_for_states_and_partitions_each_time():
    source = inspect.getsource(fetcher.Fetcher)
    assert "for tp in assignment.tps:" in source
    assert "assignment.state_value(tp)" in source
    assert "if tp_state.paused:" in inspect.getsource(fetcher.FetchResult.check_assignment)


def test_an_admin_client_sends_what_it_has_no_method_for():
    assert inspect.iscoroutinefunction(AIOKafkaAdminClient._send_request)
    assert parameters(AIOKafkaAdminClient._send_request)[0] == "request"


async def test_a_connection_of_a_client_tells_it_when_it_closes_whoever_closes_it():
    assert "on_close=self._on_connection_closed," in inspect.getsource(AIOKafkaClient._get_conn)
    assert parameters(AIOKafkaClient._on_connection_closed) == ["conn", "reason"]
    source = inspect.getsource(AIOKafkaConnection.close)
    assert "self._on_close_cb(self, reason)" in source
    assert "self._on_close_cb = None" in source
    client = AIOKafkaClient(bootstrap_servers=NOWHERE)
    closed = []
    try:
        private.hear_closings(client, closed.append)
        client._on_connection_closed("a connection", CloseReason.CONNECTION_BROKEN)
    finally:
        await client.close()
    assert closed == ["a connection"]


async def test_a_client_knows_partitions_and_keeps_its_connections():
    assert inspect.iscoroutinefunction(AIOKafkaClient._wait_on_metadata)
    assert parameters(AIOKafkaClient._wait_on_metadata) == ["topic"]
    assert parameters(AIOKafkaClient.coordinator_lookup) == ["coordinator_type", "coordinator_key"]
    client = AIOKafkaClient(bootstrap_servers=NOWHERE)
    connection = AIOKafkaConnection("127.0.0.1", 1)
    client._conns["a broker"] = connection
    assert connection._writer is None  # until it is connected
    private.abort_connections(client)
    aborted = []
    connection._writer = SimpleNamespace(
        transport=SimpleNamespace(abort=lambda: aborted.append(True))
    )
    private.abort_connections(client)
    assert aborted
    assert "self._writer, self._protocol = reader, writer" in inspect.getsource(
        AIOKafkaConnection.connect
    )


async def test_a_client_asks_for_metadata_by_a_method_of_its_own():
    assert parameters(AIOKafkaClient._metadata_update) == ["cluster_metadata", "topics"]
    # Both ways to new metadata: once in a while, and at once.
    assert "self._metadata_update(" in inspect.getsource(AIOKafkaClient._md_synchronizer)
    for owner in (AIOKafkaConsumer, AIOKafkaAdminClient):
        assert "self._client = AIOKafkaClient(" in inspect.getsource(owner.__init__)
    assert "self.client = AIOKafkaClient(" in inspect.getsource(AIOKafkaProducer.__init__)


async def test_a_producer_keeps_its_sender_and_what_the_broker_has_not_acknowledged():
    producer = AIOKafkaProducer(bootstrap_servers=NOWHERE)
    try:
        assert private.unacknowledged_batches(producer) == 0
        assert isinstance(private.sender_of(producer), Sender)
        assert private.sender_of(producer).sender_task is None
        assert inspect.iscoroutinefunction(Sender.close)
    finally:
        await producer.client.close()
    accumulator = inspect.getsource(MessageAccumulator)
    assert "self._batches" in accumulator
    assert "self._pending_batches" in accumulator


async def test_a_connection_asks_for_an_authenticator_that_takes_steps():
    provider = object()
    connection = private.TrialConnection("127.0.0.1", 1, sasl_oauth_token_provider=provider)
    assert isinstance(connection.authenticator_oauth(), OAuthAuthenticator)
    assert inspect.iscoroutinefunction(OAuthAuthenticator.step)
    assert "self.authenticator_oauth()" in inspect.getsource(AIOKafkaConnection._do_sasl_handshake)


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (faust_driver.Consumer, ("_new_consumer_thread", "commit", "seek")),
        (faust_driver.Producer, ("_new_producer", "_ensure_producer", "flush")),
        (
            faust_driver.AIOKafkaConsumerThread,
            (
                *("_create_worker_consumer", "call_thread", "on_partitions_revoked"),
                *("on_partitions_assigned", "on_thread_stop", "close", "stop"),
            ),
        ),
        (WorkerThread, ("run", "stop")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_faust_has_what_the_monitor_overrides_and_calls(owner, names):
    assert [name for name in names if not callable(getattr(owner, name, None))] == []


def test_fausts_consumer_thread_keeps_a_queue_of_calls_and_its_consumer():
    source = inspect.getsource(faust_driver.AIOKafkaConsumerThread)
    for name in ("self._consumer", "self._method_queue", "self.call_thread("):
        assert name in source + inspect.getsource(QueueServiceThread)


async def test_fetches_go_through_the_client_that_a_consumer_keeps():
    consumer = BoundedConsumer(bootstrap_servers="127.0.0.1:1")
    assert private.client_of(consumer).send.__module__ == "stream.kafka.reading.consumer"
    await consumer.stop()
    # The fetcher sends with the client that it is given, and nothing else.
    source = inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "await self._client.send(node_id, request)" in source
    assert "MemoryRecords(part_data[-1])" in source
    assert "self._client," in inspect.getsource(AIOKafkaConsumer.start)


def test_a_fetch_names_its_positions():
    request = FetchRequest(500, 1, 1000, 1, [("t", [(0, 42, 1000)])])
    assert request.topics == [("t", [(0, 42, 1000)])]


def test_bytes_of_other_consumers_in_the_process_are_read_as_ever():
    assert isinstance(fetcher.MemoryRecords(batch([(b"k", b"v", [])])), MemoryRecords)


def test_a_read_batch_is_all_that_the_fetcher_asks_for():
    source = inspect.getsource(fetcher.PartitionRecords)
    asked = {
        word.split(".", 1)[1]
        for word in source.replace("(", " ").replace(")", " ").replace(",", " ").split()
        if word.startswith("next_batch.")
    }
    names = {name.rstrip(":") for name in asked}
    assert names == {
        *("validate_crc", "producer_id", "base_offset", "is_control_batch"),
        *("is_transactional", "next_offset"),
    }


def test_records_of_an_aborted_transaction_are_left_out():
    # A fetch without the list of aborted transactions gives them: the list is what decides.
    log = batch([(b"k", b"v", [])], transactional=True)
    assert [record.value for record in Fetches(log, 1).read()] == [b"v"]
    aborted = fetcher.PartitionRecords(
        TopicPartition(*TP), fetcher.MemoryRecords(log), [(7, 0)], 0, None, None, True, 1
    )
    assert list(aborted) == []


@pytest.mark.parametrize(
    ("owner", "name"), [("_coordinator", "_coordination_task"), ("_fetcher", "_fetch_task")]
)
async def test_a_member_whose_part_in_the_group_or_whose_fetching_ended_says_why(owner, name):
    async def fails():
        raise ValueError("it makes no sense")

    running, failed = asyncio.create_task(asyncio.sleep(3600)), asyncio.create_task(fails())
    await asyncio.wait([failed])
    consumer = SimpleNamespace(**{owner: SimpleNamespace(**{name: running})})
    require_member(consumer)
    setattr(getattr(consumer, owner), name, failed)
    with pytest.raises(BrokerError, match="it makes no sense"):
        require_member(consumer)
    running.cancel()
    assert f"self.{name} = create_task(" in inspect.getsource(AIOKAFKAS[owner])


async def test_what_connects_is_known_by_this_name_and_metadata_by_these():
    assert inspect.iscoroutinefunction(AIOKafkaConnection.connect)
    assert parameters(AIOKafkaConnection.connect) == []
    assert parameters(AIOKafkaClient.bootstrap) == []
    assert parameters(AIOKafkaClient._metadata_update) == ["cluster_metadata", "topics"]
