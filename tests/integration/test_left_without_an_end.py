"""A partition without a leader that the coordinator does without when it ends a transaction (KAFKA-20734).

Three real brokers; the output has one replica, whose broker is killed as the transaction is committed. The
coordinator calls that complete while the broker is down. What was written there must be read all the same.
"""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError

from deploy.local import LocalKafka
from stream.exactly_once.group_producer import GroupProducer, PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.negotiation import Negotiation, TransactionVersion
from stream.exactly_once.options import TransactionOptions
from stream.kafka.membership import NotedOffset
from stream.kafka.transaction_state import last_transaction
from tests.support.pipeline import WAIT_SECONDS, read_topic

pytestmark = pytest.mark.kafka

GROUP = "g"
# As soon as a broker may be called dead.
PROPERTIES = {"broker.session.timeout.ms": "6000", "broker.heartbeat.interval.ms": "1000"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with LocalKafka(tmp_path_factory.mktemp("cluster"), 3, properties=PROPERTIES) as kafka:
        yield kafka


class Answering:
    """A producer that answers an input partition in a topic with one replica."""

    def __init__(self, options, name):
        self.options, self.name = options, name
        self.output = f"{name}-out"
        self.tp = TopicPartition(name, 0)
        self.producer = None

    async def take_over(self):
        """Begin, or go on as another worker does."""
        if self.producer is not None:
            await self.producer.discard()
        self.producer = GroupProducer(self.options, self.name)
        await self.producer.connect()
        await self.producer.take_over([self.output], [0])

    def result(self, value, offset):
        messages = [] if value is None else [Message(self.output, b"k", value, [])]
        return {self.tp: PartitionResult(messages, NotedOffset(offset))}

    async def coordinator(self, kind, key):
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    return await self.producer._client.coordinator_lookup(kind, key)
                except KafkaError:
                    await asyncio.sleep(0.1)

    async def called_complete(self):
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    last = await last_transaction(self.producer._client, self.name)
                except (KafkaError, OSError):
                    last = None
                if last is not None and last.state == "CompleteCommit":
                    return
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("version", [1, 2])
async def test_what_was_committed_there_is_read_though_the_next_transaction_is_aborted_or_elsewhere(
    cluster, version
):
    servers = cluster.bootstrap_servers
    options = TransactionOptions(
        connection=lambda: {"bootstrap_servers": servers},
        group=GROUP,
        timeout_ms=60_000,
        request_timeout_ms=15_000,
        negotiation=Negotiation(TransactionVersion(version)),
    )
    both = [Answering(options, f"{how}-v{version}") for how in ("aborted", "elsewhere")]
    aborted = both[0]
    for one in both:
        await one.take_over()
    coordinators = {
        await aborted.coordinator(CoordinationType.GROUP, GROUP),
        *[await one.coordinator(CoordinationType.TRANSACTION, one.name) for one in both],
    }
    brokers = {1, 2, 3}
    victim = min(brokers - coordinators, default=None)
    if victim is None:
        pytest.skip("every broker coordinates something here, and none can be killed")
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    on_victim = {0: [victim]}
    await admin.create_topics(
        [NewTopic(one.output, -1, -1, replica_assignments=on_victim) for one in both]
        + [NewTopic(one.name, 1, 3) for one in both]
    )
    await admin.close()
    for one in both:
        await one.producer.write(one.result(b"committed", 1))
    await asyncio.to_thread(cluster.kill, victim - 1)
    for one in both:
        await one.producer._end(commit=True)
        one.producer._committed.append({TopicPartition(one.output, 0)})
    for one in both:
        await one.called_complete()
    await asyncio.to_thread(cluster.restart, victim - 1)
    async with asyncio.timeout(WAIT_SECONDS):
        await aborted.producer.write(aborted.result(b"void", 2))
    for one in both:
        await one.take_over()
        await one.producer.discard()
    for one in both:
        assert [record.value for record in await read_topic(servers, one.output, 1)] == [
            b"committed"
        ]
