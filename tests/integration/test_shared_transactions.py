"""One transaction for all partitions of a worker, on a real broker: who is fenced, and how soon."""

import asyncio

import pytest
from aiokafka import TopicPartition

from stream.exactly_once.group_producer import GroupProducer, PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.transactions import Transactions
from stream.kafka.broker_errors import Fenced
from stream.kafka.clients import group_reader
from stream.kafka.membership import Membership, NotedOffset, membership_of
from stream.kafka.offsets import committed_note, committed_offset
from stream.worker.group_member import member_options
from tests.support.pipeline import (
    PARTITIONS,
    WAIT_SECONDS,
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
    source_of,
)
from tests.support.tiny_model import tiny_classifier
from tests.support.unended import being_ended

pytestmark = pytest.mark.kafka


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def settings(request, kafka, topics):
    # The broker ends nothing by itself while a test runs: whoever is fenced was fenced by us.
    worker = {
        "transactions": "worker",
        "transaction_timeout_ms": 600_000,
        "transaction_version": request.param,
    }
    return pipeline_settings(kafka, topics.prefix, worker=worker)


@pytest.fixture
def options(settings):
    return member_options(settings).transactions


@pytest.fixture
def partitions(topics):
    return [TopicPartition(topics.incoming, number) for number in range(PARTITIONS)]


@pytest.fixture
async def member(kafka, topics, settings, partitions):
    """The only member of the group."""
    consumer = group_reader(settings.kafka, settings.worker.group)
    consumer.subscribe([topics.incoming])
    await consumer.start()
    async with asyncio.timeout(WAIT_SECONDS):
        while consumer.assignment() != set(partitions):
            await consumer.getmany(timeout_ms=100)
    yield consumer
    await consumer.stop()


@pytest.fixture
async def start(options, topics):
    """Start producers that a worker's partitions share; let go of them afterwards."""
    started = []

    async def start():
        producer = GroupProducer(options, f"{options.group}.{topics.incoming}.former")
        await producer.connect()
        await producer.initialise()
        started.append(producer)
        return producer

    yield start
    for producer in started:
        await producer.discard()


@pytest.fixture
async def former(start):
    """One that is somewhere, and goes on."""
    return await start()


@pytest.fixture
async def transactions(options, member, topics):
    """Of the worker that has the partitions now."""
    transactions = Transactions(options, [*topics.outputs(), topics.batches])
    transactions.assigned(member, None)
    yield transactions
    await transactions.close()


def results(topics, partitions, values, offset, note=""):
    return {
        tp: PartitionResult(
            [Message(topics.relabel, b"k", value, []) for value in values],
            NotedOffset(offset, note),
        )
        for tp in partitions
    }


async def test_outputs_and_offsets_of_all_partitions_are_one_transaction(
    kafka, topics, settings, former, member, partitions
):
    await former.commit(results(topics, partitions, [b"a", b"b"], 3), membership_of(member, None))
    records = await read_topic(kafka, topics.relabel, 2 * PARTITIONS)
    assert {record.partition for record in records} == set(range(PARTITIONS))
    group = settings.worker.group
    offsets = [await committed_offset(member, group, tp, settled=True) for tp in partitions]
    assert offsets == [3] * PARTITIONS


async def test_whom_the_group_does_not_know_can_commit_nothing(
    kafka, topics, settings, start, member, partitions
):
    known = membership_of(member, None)
    strangers = [
        Membership(known.generation - 1, known.member_id),
        Membership(known.generation, "somebody else"),
        Membership(0, ""),
        Membership(known.generation, known.member_id, "an instance that nobody has"),
    ]
    for stranger in strangers:
        producer = await start()
        with pytest.raises(Fenced):
            await producer.commit(results(topics, partitions, [b"void"], 9), stranger)
    await (await start()).commit(results(topics, partitions[:1], [b"counts"], 1), known)
    assert [record.value for record in await read_topic(kafka, topics.relabel, 1)] == [b"counts"]
    offset = await committed_offset(member, settings.worker.group, partitions[1], settled=True)
    assert offset is None


async def opened(transactions, member, tp):
    """Take a partition over; return its producer, and where it goes on."""
    producer = transactions.producer(tp)
    async with asyncio.timeout(WAIT_SECONDS):
        return producer, await transactions.recovery(tp, member).start(producer)


async def test_a_new_owner_shuts_out_a_former_one_that_holds_the_offset(
    kafka, topics, former, member, partitions, transactions
):
    tp, known = partitions[0], membership_of(member, None)
    note = former.transactional_id
    await former.commit(results(topics, [tp], [b"counts"], 1, note), known)
    await former.write(results(topics, [tp], [b"void"], 2, note), known)
    producer, begin = await opened(transactions, member, tp)
    with pytest.raises(Fenced):
        await former.commit({})
    await producer.commit([Message(topics.relabel, b"k", b"again", [])], 2)
    await producer.discard()
    assert begin == 1
    records = await read_topic(kafka, topics.relabel, 2)
    assert [record.value for record in records] == [b"counts", b"again"]


async def test_what_a_former_owner_had_committed_and_was_not_written_counts_once(
    kafka, topics, options, former, member, partitions, transactions
):
    tp, known = partitions[0], membership_of(member, None)
    note = former.transactional_id
    await former.commit(results(topics, [tp], [b"first"], 1, note), known)
    left = await being_ended(options, note, commit=True)
    await left.write(results(topics, [tp], [b"second"], 2, note), known)
    producer, begin = await opened(transactions, member, tp)
    await producer.discard()
    await left.discard()
    assert begin == 2
    records = await read_topic(kafka, topics.relabel, 2)
    assert [record.value for record in records] == [b"first", b"second"]


async def test_readers_do_not_wait_for_a_former_owner_that_stands_still(
    kafka, topics, former, member, partitions, transactions, monkeypatch
):
    monkeypatch.setattr("stream.exactly_once.former_owner._STUCK_SECONDS", 0.5)
    one, other = partitions[:2]
    known, note = membership_of(member, None), former.transactional_id
    await former.commit(results(topics, [one], [b"first"], 1, note), known)
    # Its records are in another partition, whose offset does not name it yet.
    await former.write(results(topics, [other], [b"void"], 5, note), known)
    producer, _ = await opened(transactions, member, one)
    await producer.commit([], 2)
    await producer.discard()
    producer = transactions.producer(other)
    await producer.start()
    await producer.commit([Message(topics.relabel, b"k", b"seen", [])], 1)
    await producer.discard()
    records = await read_topic(kafka, topics.relabel, 2)
    assert {record.value for record in records} == {b"first", b"seen"}


async def test_what_a_member_left_that_is_gone_is_ended_though_its_offset_is_settled(
    kafka, topics, options, former, member, partitions, transactions
):
    one, other = partitions[:2]
    known, note = membership_of(member, None), former.transactional_id
    await former.commit(results(topics, [one], [b"first"], 1, note), known)
    left = await being_ended(options, note, commit=True)
    # Its records are in another partition, whose offset does not name it.
    await left.write(results(topics, [other], [b"second"], 5, note), known)
    producer, begin = await opened(transactions, member, one)
    assert begin == 1
    records = await read_topic(kafka, topics.relabel, 2)
    assert {record.value for record in records} == {b"first", b"second"}
    await producer.discard()
    await left.discard()


async def test_an_offset_tells_which_transactions_come_next(
    settings, topics, member, partitions, transactions
):
    tp = partitions[0]
    for offset in (1, 2):  # a new owner waits until the former one's end is written
        producer, _ = await opened(transactions, member, tp)
        await producer.commit([], offset)
        await producer.discard()
    note = await committed_note(member, settings.worker.group, tp)
    assert note.startswith(f"{settings.worker.group}.{topics.incoming}.")


def reviews(first, count):
    row = '{"review_id": "r%d", "text": "чайник номер %d"}'
    return [(b"k%d" % n, (row % (n, n)).encode()) for n in range(first, first + count)]


async def test_members_that_come_and_go_amid_the_stream_lose_and_double_nothing(
    kafka, topics, settings, tmp_path
):
    classifier, each = tiny_classifier(tmp_path), 150
    async with running_worker(settings, classifier):
        await send(kafka, topics.incoming, reviews(0, each))
        async with running_worker(settings, classifier) as second:
            await send(kafka, topics.incoming, reviews(each, each))
            async with asyncio.timeout(WAIT_SECONDS):
                while not second.ready:  # noqa: ASYNC110 - as a probe does
                    await asyncio.sleep(0.05)
            await send(kafka, topics.incoming, reviews(2 * each, each))
        await send(kafka, topics.incoming, reviews(3 * each, each))
        records = await read_outputs(kafka, topics, 4 * each)
    sources = [source_of(record, topics) for record in records]
    assert len(set(sources)) == len(sources) == 4 * each
