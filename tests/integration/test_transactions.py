"""A partition's transactions on a real broker: all or nothing, whole, in order, without delay."""

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

import stream.exactly_once.partition_writer
from stream.exactly_once.message import Message
from stream.exactly_once.partition_writer import BATCH_BYTES
from stream.exactly_once.transactional_producer import TransactionalProducer
from stream.kafka.broker_errors import ErrorClass, Fenced, classify_error
from stream.kafka.offsets import committed_offset
from stream.worker.group_member import transaction_options
from tests.support.pipeline import pipeline_settings, read_topic

pytestmark = pytest.mark.kafka


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def settings(request, kafka, topics):
    worker = {"transaction_version": request.param}
    return pipeline_settings(kafka, topics.prefix, worker=worker)


@pytest.fixture
async def start(settings, topics):
    """Start producers of one input partition; let go of them afterwards."""
    started = []

    async def start(settings=settings):
        options = transaction_options(settings, settings.worker.group)
        producer = TransactionalProducer(options, TopicPartition(topics.incoming, 0))
        await producer.start()
        started.append(producer)
        return producer

    yield start
    for producer in started:
        await producer.discard()


def messages(topic, values):
    return [
        Message(topic, b"key", value, [("n", str(i).encode())]) for i, value in enumerate(values)
    ]


async def test_what_does_not_fit_one_batch_arrives_whole_and_in_order(kafka, topics, start):
    values = [b"%03d" % i + b"x" * (BATCH_BYTES // 5) for i in range(17)]
    await (await start()).commit(messages(topics.relabel, values), 17)
    records = await read_topic(kafka, topics.relabel, len(values))
    assert [record.value for record in records] == values


@pytest.mark.parametrize("codec", ["gzip", "lz4"])
async def test_what_was_compressed_is_read_as_it_was(kafka, topics, settings, start, codec):
    worker = settings.worker.model_copy(update={"compression": codec})
    producer = await start(settings.model_copy(update={"worker": worker}))
    await producer.commit(messages(topics.relabel, [b"same " * 200]), 1)
    (record,) = await read_topic(kafka, topics.relabel, 1)
    assert (record.key, record.value, record.headers) == (b"key", b"same " * 200, (("n", b"0"),))


async def test_offset_and_records_of_transaction_after_transaction_are_there(
    kafka, topics, settings, start
):
    producer = await start()
    for i in range(20):
        await producer.commit(messages(topics.relabel, [str(i).encode()]), i + 1)
    records = await read_topic(kafka, topics.relabel, 20)
    assert [int(record.value) for record in records] == list(range(20))
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id=settings.worker.group, enable_auto_commit=False
    ) as member:
        tp = TopicPartition(topics.incoming, 0)
        assert await committed_offset(member, settings.worker.group, tp, settled=True) == 20


async def test_no_broker_tells_a_transaction_that_follows_another_to_try_again_later(
    topics, start, monkeypatch
):
    answers = []

    def listen(codes):
        answers.append(classify_error(codes))
        return answers[-1]

    producer = await start()
    outputs = topics.outputs()
    await producer.commit([Message(topic, b"k", b"first", []) for topic in outputs], 1)
    monkeypatch.setattr(stream.exactly_once.partition_writer, "classify_error", listen)
    for i in range(30):
        await producer.commit([Message(topic, b"k", b"next", []) for topic in outputs], i + 2)
    # Soon is another matter: of version 2, a busy broker is still writing the former one's end.
    assert ErrorClass.DONE in answers
    assert ErrorClass.RETRY_ELSEWHERE not in answers


async def test_the_former_owner_of_a_partition_can_publish_nothing(kafka, topics, start):
    former, owner = await start(), await start()
    with pytest.raises(Fenced):
        await former.commit(messages(topics.relabel, [b"void"]), 1)
    await owner.commit(messages(topics.relabel, [b"counts"]), 1)
    assert [r.value for r in await read_topic(kafka, topics.relabel, 1)] == [b"counts"]
