"""The two versions of Kafka's transactions on a real broker: what is chosen, and what comes too late."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import BrokerResponseError, InvalidTxnState

from deploy.local import LocalKafka
from deploy.local.ports import HOST, free_ports
from stream.exactly_once.coordinators import TransactionCoordinator
from stream.exactly_once.group_producer import GroupProducer, PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.negotiation import Negotiation, TransactionVersion
from stream.exactly_once.options import TransactionOptions
from stream.kafka.broker_errors import Fenced
from stream.kafka.membership import NotedOffset
from tests.faults.kafka_proxy import Action, KafkaProxy, Rule
from tests.faults.wire import Api
from tests.support.broker_features import set_transaction_version
from tests.support.pipeline import WAIT_SECONDS, read_topic

pytestmark = pytest.mark.kafka
NAMED, JOINED = TransactionVersion.NAMED, TransactionVersion.JOINED
IN = TopicPartition("in", 0)
# The worker's request has been given up long before.
LATE_SECONDS = 1.5


@pytest.fixture(scope="module")
def door():
    """Port of a proxy, for those who are sent to it; the broker's own is beside it."""
    return free_ports(2)


@pytest.fixture(scope="module")
def broker(door, tmp_path_factory):
    """One of its own, whose features may be changed; it begins at a level below the second version."""
    outer, inner = door
    with LocalKafka(
        tmp_path_factory.mktemp("kafka"),
        ports=[inner],
        advertised=[f"{HOST}:{outer}"],
        listeners={"DIRECT": "PLAINTEXT"},
        format_arguments=["--feature", "transaction.version=1"],
    ) as running:
        yield running


@pytest.fixture
def servers(broker):
    return broker.servers_of("DIRECT")


@pytest.fixture
async def admin(servers):
    client = AIOKafkaAdminClient(bootstrap_servers=servers)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def out(admin):
    """A topic of the test's own, beside the input's."""
    name = f"out-{uuid.uuid4().hex}"
    missing = {name, IN.topic} - set(await admin.list_topics())
    await admin.create_topics([NewTopic(topic, 1, 1) for topic in missing])
    return name


def options(servers, newest=JOINED, request_timeout_ms=10_000):
    return TransactionOptions(
        connection=lambda: {
            "bootstrap_servers": servers,
            "request_timeout_ms": request_timeout_ms,
        },
        group="group",
        timeout_ms=60_000,
        request_timeout_ms=request_timeout_ms,
        negotiation=Negotiation(newest),
    )


@asynccontextmanager
async def started(options, transactional_id="id"):
    producer = GroupProducer(options, transactional_id)
    try:
        await producer.connect()
        await producer.initialise()
        yield producer
    finally:
        await producer.discard()


def result(out, value):
    return {IN: PartitionResult([Message(out, b"k", value, [])], NotedOffset(1))}


def version_of(producer):
    return producer._transaction.version


async def texts(servers, out, wanted):
    """Those of the topic, once there are so many; an open transaction would let nobody come so far."""
    return [record.value.decode() for record in await read_topic(servers, out, wanted)]


async def test_producers_use_what_brokers_have_when_they_begin_and_outlive_its_change(
    servers, admin, out
):
    shared = options(servers)
    await set_transaction_version(admin, 1)
    async with started(shared, "a") as a:
        await a.commit(result(out, b"level 1"))
        await set_transaction_version(admin, 2)
        await a.commit(result(out, b"upgraded under way"))
        async with started(shared, "b") as b:
            await b.commit(result(out, b"level 2"))
            await b.commit(result(out, b"again"))
            await set_transaction_version(admin, 1)
            await b.commit(result(out, b"downgraded under way"))
            await b.commit(result(out, b"and on"))
            async with started(shared, "b") as c:
                await c.commit(result(out, b"level 1 again"))
                with pytest.raises(Fenced):
                    await b.commit(result(out, b"void"))
                assert [version_of(p) for p in (a, b, c)] == [NAMED, JOINED, NAMED]
    await set_transaction_version(admin, 2)
    written = await texts(servers, out, 7)
    assert written == [
        *("level 1", "upgraded under way", "level 2", "again"),
        *("downgraded under way", "and on", "level 1 again"),
    ]


async def test_an_end_that_is_asked_for_again_gives_the_same_epoch_and_not_another_end(
    servers, admin, out
):
    await set_transaction_version(admin, 2)
    async with started(options(servers), "repeated") as producer:
        assert version_of(producer) is JOINED
        await producer.write(result(out, b"once"))
        transaction = producer._transaction
        before = transaction.producer_id, transaction.epoch
        await transaction.end(commit=True)
        after = transaction.producer_id, transaction.epoch
        assert after == (before[0], before[1] + 1)
        # As if the reply had been lost.
        transaction.producer_id, transaction.epoch = before
        with pytest.raises(InvalidTxnState):
            await transaction.end(commit=False)
        await transaction.end(commit=True)
        assert (transaction.producer_id, transaction.epoch) == after


@asynccontextmanager
async def late_write(door, newest, transactional_id, out):
    """A producer whose records are on their way for longer than it waits for them."""
    outer, inner = door
    rule = Rule(Api.PRODUCE, Action.DELAY_REQUEST, LATE_SECONDS)
    async with KafkaProxy(outer, inner) as proxy:
        proxy.add(rule)
        slow = options(f"{HOST}:{outer}", newest)
        async with started(slow, transactional_id) as producer:
            assert version_of(producer) is newest
            writing = asyncio.create_task(producer.write(result(out, b"late")))
            async with asyncio.timeout(WAIT_SECONDS):
                await rule.struck.wait()
            yield producer, writing


@pytest.mark.parametrize("newest", [NAMED, JOINED], ids=["v1", "v2"])
async def test_what_a_dead_owner_had_sent_is_refused_when_it_comes_at_last(
    door, servers, admin, out, newest
):
    """In either version: a new owner has a higher epoch, and the broker asks the coordinator."""
    await set_transaction_version(admin, 2)
    name = f"dead-{newest}"
    async with (
        late_write(door, newest, name, out) as (_dead, writing),
        started(options(servers, newest), name) as owner,
    ):
        await owner.commit(result(out, b"owner"))
        assert not writing.done(), "it is still on its way"
        with pytest.raises((Fenced, BrokerResponseError)):
            await writing
        await owner.commit(result(out, b"goes on"))
    assert await texts(servers, out, 2) == ["owner", "goes on"]


@pytest.mark.parametrize(
    ("newest", "published"), [(NAMED, ["late", "next"]), (JOINED, ["next"])], ids=["v1", "v2"]
)
async def test_what_comes_after_its_own_transaction_is_in_the_next_of_version_1_and_none_of_2(
    door, servers, admin, out, newest, published
):
    """Why processors of version 1 discard a producer after every failure: its epoch would stay."""
    await set_transaction_version(admin, 2)
    async with late_write(door, newest, f"goes-on-{newest}", out) as (producer, writing):
        transaction: TransactionCoordinator = producer._transaction
        await transaction.end(commit=False)
        if newest is NAMED:  # the next transaction begins
            await producer._name([TopicPartition(out, 0)])
            await writing
        else:
            with pytest.raises(Fenced):
                await writing
        await producer.commit(result(out, b"next"))
    assert await texts(servers, out, len(published)) == published
