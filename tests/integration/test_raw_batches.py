"""Record batches as no client library writes them, by a real broker into a real worker.

Some a broker takes, and aiokafka's own reading raises on; others it refuses, and they come from a
disk or a network that changes bytes: a proxy does that here.
"""

import asyncio
from collections import Counter
from itertools import islice

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, NotLeaderForPartitionError
from aiokafka.protocol.produce import ProduceRequest

from deploy.local import LocalKafka
from deploy.local.ports import HOST, free_ports
from schemas import Category, DeadLetterReason, Review, encode
from stream.kafka.lag import LagProbe
from stream.kafka.read_to_end import read_to_end
from stream.kafka.topic_creation import create_topics
from tests.faults.fuzz_batches import damaged_batches
from tests.faults.kafka_proxy import KafkaProxy
from tests.support.java import SHORT_LIVED
from tests.support.pipeline import (
    by_topic,
    pipeline_settings,
    read_outputs,
    running_worker,
    source_of,
)
from tests.support.record_batches import CODECS, batch, raw_batch, record_bytes
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

GOOD = encode(Review(review_id="good", text="платье хорошее"))
SENT = record_bytes(0, b"a", GOOD)


@pytest.fixture
async def settings(kafka, topic_prefix):
    made = pipeline_settings(kafka, topic_prefix)
    await create_topics(made)
    return made


@pytest.fixture
async def produce(kafka, settings):
    """Send bytes as a batch to partition 0; return the broker's error code."""
    client = AIOKafkaClient(bootstrap_servers=kafka)
    await client.bootstrap()
    topic = settings.topic_names.incoming
    await client.set_topics([topic])
    await client._wait_on_metadata(topic)

    async def send(data):
        request = ProduceRequest(None, -1, 10_000, [(topic, [(0, data)])])
        node = next(iter(client.cluster.brokers())).nodeId
        code = NotLeaderForPartitionError.errno
        # A topic that was made just now has no leader yet.
        while code == NotLeaderForPartitionError.errno:
            reply = await client.send(node, request)
            ((_, ((_, code, *_),)),) = reply.topics
        return code

    yield send
    await client.close()


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
async def test_what_a_broker_takes_from_anybody_stops_no_partition(
    kafka, settings, produce, tmp_path, codec
):
    topics = settings.topic_names
    bad_name = record_bytes(0, b"a", GOOD, [(b"\xff\xfe", b"x")] * 3)
    nulls = batch([(b"a", GOOD, [("traceparent", None), ("h", None)])], codec=codec)
    forged = batch(
        [(b"a", b"bad", [("dlq.original.header-bytes", b"x"), ("h", None)])], codec=codec
    )
    sent = [raw_batch(bad_name, 1, codec=codec), nulls, forged, batch([(b"z", GOOD, [])])]
    assert [await produce(data) for data in sent] == [0, 0, 0, 0]
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = await read_outputs(kafka, topics, 4)
    assert sorted(source_of(record, topics) for record in records) == [(0, n) for n in range(4)]
    found = by_topic(records)
    assert len(found[topics.category(Category("clothing"))]) == 3
    (letter,) = found[topics.dead_letter]
    assert DeadLetterReason.from_headers(letter.headers).cut is None


@pytest.mark.timeout(300)
async def test_bytes_that_change_on_the_way_cost_their_batch_only_and_only_if_they_stay_so(
    tmp_path, topic_prefix
):
    outer, inner = free_ports(2)
    with LocalKafka(
        tmp_path / "kafka",
        ports=[inner],
        advertised=[f"{HOST}:{outer}"],
        jvm_flags=SHORT_LIVED,
    ):
        async with KafkaProxy(outer, inner) as proxy:
            kafka = f"{HOST}:{outer}"
            settings = pipeline_settings(kafka, topic_prefix)
            await create_topics(settings)
            topics = settings.topic_names
            async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
                for partition in range(4):
                    for n in range(10):
                        # One batch each.
                        text = f"платье MARK{partition}{n}"
                        value = encode(Review(review_id=f"{partition}-{n}", text=text))
                        await producer.send_and_wait(topics.incoming, value, partition=partition)
            passing = 2

            def damage(frame):
                nonlocal passing
                if b"MARK11" in frame and passing:
                    passing -= 1
                    frame = frame.replace(b"MARK11", b"MARX11")
                return frame.replace(b"MARK05", b"MARX05")

            proxy.rewrite = damage
            async with running_worker(settings, tiny_classifier(tmp_path / "model")):
                records = await read_outputs(kafka, topics, 40)
    assert passing == 0
    assert sorted(source_of(record, topics) for record in records) == [
        (partition, n) for partition in range(4) for n in range(10)
    ]
    (letter,) = by_topic(records)[topics.dead_letter]
    reason = DeadLetterReason.from_headers(letter.headers)
    assert (reason.code, reason.source.partition, reason.source.offset) == (
        "unreadable-batch",
        0,
        5,
    )
    assert reason.message == "the record batch cannot be read: its checksum is wrong"


async def test_what_a_broker_refuses_never_gets_in(produce):
    refused = {
        "a wrong checksum": batch([(b"a", GOOD, [])])[:-1] + b"\1",
        "more records than there are": raw_batch(SENT, 3),
        "fewer than there are": raw_batch(SENT + record_bytes(1, b"b", GOOD), 1),
        "an unknown codec": raw_batch(SENT, 1, codec=6),
        "no end of a transaction from a client": raw_batch(SENT, 1, attributes=0x30),
        "records that are none": raw_batch(b"\xff" * 40, 1),
    }
    assert await produce(raw_batch(SENT, 1)) == 0
    codes = {}
    for name, data in refused.items():
        try:
            async with asyncio.timeout(20):
                codes[name] = await produce(data)
        except Exception as error:  # noqa: BLE001 - a broker may also end the connection
            codes[name] = type(error).__name__
    assert 0 not in codes.values(), codes


@pytest.mark.timeout(300)
async def test_each_offset_of_damaged_batches_that_a_broker_takes_is_answered_once(
    kafka, settings, produce, tmp_path, record_property
):
    topics, answers = settings.topic_names, Counter()
    for name, data in islice(damaged_batches(seed=5), 600):
        try:
            async with asyncio.timeout(20):
                # Offsets are the broker's to give: it wants to see none, and they are not under
                # the checksum.
                code = await produce(bytes(8) + data[8:])
                answers["taken" if code == 0 else "refused"] += 1
        except (KafkaError, TimeoutError) as error:  # it may also end the connection
            answers[f"{name}: {type(error).__name__}"] += 1
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        last = await producer.send_and_wait(topics.incoming, GOOD, partition=0)
    async with (
        running_worker(settings, tiny_classifier(tmp_path / "model")),
        asyncio.timeout(120),
        LagProbe(settings) as probe,
    ):
        # It is asked, and so not told of a commit.
        while any(partition.lag for partition in await probe.ask()):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    record_property("answers", dict(answers))
    assert answers["taken"] > 60
    assert answers["refused"] > 60
    told = []
    for record in await all_of(kafka, topics.outputs()):
        (_, first) = source_of(record, topics)
        reason = record.topic == topics.dead_letter and DeadLetterReason.from_headers(
            record.headers
        )
        cut = reason.cut if reason else None
        told += range(first, (cut.last_offset if cut and cut.last_offset else first) + 1)
    assert sorted(told) == list(range(last.offset + 1))


async def all_of(kafka, topics):
    """Return every committed record of some topics, as far as they go now."""
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest"
    ) as consumer:
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(4)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        return [record async for record in read_to_end(consumer, ends)]
