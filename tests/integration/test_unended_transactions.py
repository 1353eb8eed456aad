"""A transaction that the coordinator calls ended, and whose end was not written everywhere.

A lone broker that is killed between the two may leave one behind. Here a producer that was about to end
one again does not: to the partitions, and to whoever comes next, that looks the same.
"""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import DeadLetterReason, SourcePosition
from stream.exactly_once.decision_mark import decided
from stream.exactly_once.group_producer import GroupProducer, PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.transactional_producer import TransactionalProducer, transactional_id
from stream.exactly_once.transactions import Transactions
from stream.kafka.membership import NotedOffset
from stream.kafka.offsets import OffsetPending, committed_offset
from stream.kafka.private import abort_connections, client_of, connections_of
from stream.kafka.transaction_state import last_transaction
from stream.operations.replay import DeadLetterReplay
from stream.worker.group_member import transaction_options
from tests.support.pipeline import WAIT_SECONDS, pipeline_settings, read_topic
from tests.support.unended import being_ended

pytestmark = pytest.mark.kafka
LEFT = [b"left behind"]


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def settings(request, kafka, topics):
    worker = {"transaction_version": request.param}
    return pipeline_settings(kafka, topics.prefix, worker=worker)


@pytest.fixture
async def member(kafka, topics, settings):
    """A member of the worker's group, to ask for its offset."""
    consumer = AIOKafkaConsumer(
        topics.incoming,
        bootstrap_servers=kafka,
        group_id=settings.worker.group,
        enable_auto_commit=False,
    )
    await consumer.start()
    yield consumer
    await consumer.stop()


@pytest.fixture
def leave(settings, topics):
    """Leave a record and an offset behind as the end of a transaction was being written."""
    options = transaction_options(settings, settings.worker.group)
    incoming = TopicPartition(topics.incoming, 0)

    async def leave(*, commit):
        left = await being_ended(options, transactional_id(options.group, incoming), commit=commit)
        result = PartitionResult([Message(topics.relabel, b"k", LEFT[0], [])], NotedOffset(7))
        await left.write({incoming: result})
        await left.discard()

    return leave


@pytest.fixture
async def begin(member, topics, settings):
    """Take the partition over; return where it goes on."""
    options = transaction_options(settings, settings.worker.group)
    transactions = Transactions(options, [*topics.outputs(), topics.batches])
    tp = TopicPartition(topics.incoming, 0)
    started = []

    async def begin():
        started.append(transactions.producer(tp))
        async with asyncio.timeout(WAIT_SECONDS):
            return await transactions.recovery(tp, member).start(started[-1])

    yield begin
    for producer in started:
        await producer.discard()


async def test_its_offset_is_not_taken_for_settled(leave, member, topics, settings):
    await leave(commit=True)
    with pytest.raises(OffsetPending):
        await committed_offset(
            member, settings.worker.group, TopicPartition(topics.incoming, 0), settled=True
        )


async def test_what_was_to_be_aborted_is_never_published(kafka, leave, begin, topics):
    await leave(commit=False)
    assert await begin() == 0
    async with AIOKafkaProducer(bootstrap_servers=kafka) as last:
        await last.send_and_wait(topics.relabel, b"again", partition=0)
    assert [record.value for record in await read_topic(kafka, topics.relabel, 1)] == [b"again"]


async def test_what_was_committed_is_published_once_and_its_offset_counts(
    kafka, leave, begin, topics
):
    await leave(commit=True)
    assert await begin() == 7
    assert await begin() == 7
    assert [record.value for record in await read_topic(kafka, topics.relabel, 1)] == LEFT


async def test_what_nobody_had_asked_to_commit_is_aborted(kafka, begin, topics, settings):
    options = transaction_options(settings, settings.worker.group)
    former = TransactionalProducer(options, TopicPartition(topics.incoming, 0))
    await former.start()
    await former.write([Message(topics.relabel, b"k", b"void", [])], 7)
    assert await begin() == 0
    await former.discard()


async def test_the_coordinator_tells_what_it_decided_last_however_often_it_is_ended_since(
    kafka, leave, begin, member, topics, settings
):
    name = transactional_id(settings.worker.group, TopicPartition(topics.incoming, 0))
    client = client_of(member)
    assert await last_transaction(client, f"{name}-of-nobody") is None
    for commit in (False, True):
        await leave(commit=commit)
        last = await last_transaction(client, name)
        assert (last.is_committed, decided(last)) == (False, commit)
        await begin()
        assert decided(await last_transaction(client, name)) is None


async def test_a_transaction_that_is_aborted_takes_nothing_with_it_that_was_committed_before(
    kafka, begin, topics, settings
):
    """The connection was lost in between, so that the end of what was committed may be missing."""
    options = transaction_options(settings, settings.worker.group)
    tp = TopicPartition(topics.incoming, 0)
    producer = GroupProducer(options, transactional_id(options.group, tp))
    await producer.connect()
    await producer.initialise()
    result = PartitionResult([Message(topics.relabel, b"k", LEFT[0], [])], NotedOffset(7))
    end = producer._transaction.end

    async def nowhere(*, commit):
        """Call it ended, and write its end to no partition."""

    producer._transaction.end = nowhere
    await producer.commit({tp: result})
    producer._transaction.end = end
    abort_connections(producer._client)
    for connection in connections_of(producer._client):
        while connection.connected():  # noqa: ASYNC110 - in turns
            await asyncio.sleep(0)
    result = PartitionResult([Message(topics.relabel, b"k", b"void", [])], NotedOffset(8))
    await producer.write({tp: result})
    assert await begin() == 7
    await producer.discard()
    assert [record.value for record in await read_topic(kafka, topics.relabel, 1)] == LEFT


@pytest.mark.parametrize(("committed", "replayed"), [(True, 0), (False, 1)])
async def test_a_replay_ends_what_the_former_one_left_and_nothing_is_there_twice(
    kafka, topics, settings, committed, replayed
):
    await send_dead_letter(kafka, topics)
    options = transaction_options(settings, DeadLetterReplay(settings).group)
    tp = TopicPartition(topics.dead_letter, 0)
    left = await being_ended(options, transactional_id(options.group, tp), commit=committed)
    result = PartitionResult([Message(topics.incoming, b"k", LEFT[0], [])], NotedOffset(1))
    await left.write({tp: result})
    await left.discard()
    assert (await DeadLetterReplay(settings).run()).replayed == replayed
    async with AIOKafkaProducer(bootstrap_servers=kafka) as last:
        await last.send_and_wait(topics.incoming, b"last", partition=0)
    records = await read_topic(kafka, topics.incoming, 2)
    assert [record.value for record in records] == [*LEFT, b"last"]


async def send_dead_letter(kafka, topics):
    source = SourcePosition(topic=topics.incoming, partition=0, offset=0)
    reason = DeadLetterReason(
        code="not-json", message="", source=source, timestamp_ms=0, group="g", worker="w"
    )
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(
            topics.dead_letter, LEFT[0], key=b"k", partition=0, headers=reason.headers()
        )
