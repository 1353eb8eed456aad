"""Reviews in Avro, Protobuf and registered JSON come out of a real worker; a registry that is away costs time only."""

import asyncio
import json
import time

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from schemas import CategorizedReview, Category, DeadLetterReason, TopicNames, decode
from stream.cli.incoming_check import incoming_messages
from stream.kafka.topic_creation import create_topics
from stream.operations.erasure_copies import find_copies
from stream.schema_registry import RegistryUnavailable, known_schemas
from stream.worker import app
from stream.worker.input_event import decode_event
from tests.support.pipeline import (
    by_topic,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
)
from tests.support.schema_registry import running_registry
from tests.support.tiny_model import tiny_classifier
from tests.support.wire_format import avro_body, wired

pytestmark = pytest.mark.kafka

BOOTS = "сапоги на каждый день"
ROW = {
    "type": "record",
    "name": "shop.reviews.Value",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "text", "type": ["null", "string"]},
        {"name": "created_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
CHANGE = {
    "type": "record",
    "name": "shop.reviews.Envelope",
    "fields": [
        {"name": "before", "type": ["null", ROW]},
        {"name": "after", "type": ["null", "shop.reviews.Value"]},
        {"name": "op", "type": "string"},
    ],
}
PROTO = """
syntax = "proto3";
message Review { string review_id = 1; string text = 2; }
"""


def row(number, text=BOOTS):
    return {"id": number, "text": text, "created_at": 1_796_052_730_000}


def proto(review_id, text=BOOTS):
    parts = ((b"\x0a", review_id.encode()), (b"\x12", text.encode()))
    return b"\0" + b"".join(tag + bytes([len(part)]) + part for tag, part in parts)


@pytest.fixture
async def registry():
    async with running_registry() as running:
        running.register("reviews-value", ROW)
        running.register("changes-value", CHANGE)
        running.register("proto-value", PROTO, kind="PROTOBUF")
        running.register("json-value", {"type": "object"}, kind="JSON")
        yield running


@pytest.fixture
async def settings(kafka, topic_prefix, registry):
    made = pipeline_settings(kafka, topic_prefix, schema_registry={"url": registry.url})
    await create_topics(made)
    return made


def footwear_in(records, topics: TopicNames):
    """Return the reviews that were published as footwear by their ids; none may be there twice."""
    found = by_topic(records)[topics.category(Category("footwear"))]
    reviews = [decode(CategorizedReview, record.value).review for record in found]
    by_id = {review.review_id: review for review in reviews}
    assert len(by_id) == len(reviews)
    return by_id


async def send_to(kafka, topic, partition, values):
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=partition)
    finally:
        await producer.stop()


async def test_every_registered_format_is_classified_and_what_cannot_be_read_is_a_dead_letter(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    plain = json.dumps({"id": 5, "text": BOOTS}).encode()
    dead = [
        (b"d1", wired(1, b"\x02")),
        (b"d2", wired(77, avro_body(ROW, row(90)))),
        (b"d3", wired(3, b"\x08\xff")),
        (b"d4", wired(1, avro_body(ROW, row(91, None)))),
    ]
    messages = [
        (b"a", wired(1, avro_body(ROW, row(1)))),
        (b"b", wired(2, avro_body(CHANGE, {"before": None, "after": row(2), "op": "c"}))),
        (b"c", wired(3, proto("3"))),
        (b"d", wired(4, json.dumps({"id": 4, "text": BOOTS}).encode())),
        (b"e", plain),
        (b"f", wired(2, avro_body(CHANGE, {"before": row(6), "after": None, "op": "d"}))),
        *dead,
    ]
    await send(kafka, topics.incoming, messages)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = await read_outputs(kafka, topics, len(messages) - 1)
    reviews = footwear_in(records, topics)
    assert sorted(reviews) == ["1", "2", "3", "4", "5"]
    assert reviews["1"].created_at.isoformat() == "2026-11-30T15:32:10+00:00"
    reasons = {
        record.key: DeadLetterReason.from_headers(record.headers)
        for record in by_topic(records)[topics.dead_letter]
    }
    assert {key: reason.code for key, reason in reasons.items()} == {
        b"d1": "other-format",
        b"d2": "other-format",
        b"d3": "other-format",
        b"d4": "wrong-shape",
    }
    assert "the registry does not have it" in reasons[b"d2"].message


async def test_reviews_wait_for_a_registry_that_is_away_and_none_is_lost(
    kafka, settings, registry, tmp_path, monkeypatch
):
    monkeypatch.setattr(known_schemas, "_FIRST_WAIT", 0.05)
    topics = settings.topic_names
    registry.failing = 503
    await send(
        kafka, topics.incoming, [(None, wired(1, avro_body(ROW, row(n)))) for n in range(1, 41)]
    )
    async with running_worker(settings, tiny_classifier(tmp_path / "model")) as worker:
        await registry.was_asked(4)
        assert not worker.ready
        assert worker.metrics.registry.get_sample_value("reviews_schema_registry_lost") == 1
        registry.failing = None
        records = await read_outputs(kafka, topics, 40)
        assert worker.ready
    assert sorted(footwear_in(records, topics), key=int) == [str(n) for n in range(1, 41)]


async def test_a_worker_that_is_stopped_while_it_waits_leaves_the_reviews_to_the_next(
    kafka, settings, registry, tmp_path
):
    topics = settings.topic_names
    registry.failing = 503
    await send(
        kafka, topics.incoming, [(None, wired(1, avro_body(ROW, row(n)))) for n in range(1, 9)]
    )
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        await registry.was_asked(2)
    registry.failing = None
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = await read_outputs(kafka, topics, 8)
    assert len(footwear_in(records, topics)) == 8


async def holds(worker, partitions):
    """Return once a worker has so many partitions open."""
    async with asyncio.timeout(60):
        while len(worker.partitions._processors) != partitions or not worker.partitions.all_open:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_partition_that_is_given_away_and_comes_back_meanwhile_is_answered_once(
    kafka, settings, registry, tmp_path, monkeypatch
):
    monkeypatch.setattr(known_schemas, "_FIRST_WAIT", 0.05)
    topics = settings.topic_names
    registry.failing = 503
    classifier = tiny_classifier(tmp_path / "model")
    async with running_worker(settings, classifier) as first:
        await holds(first, 4)
        reviews = [wired(1, avro_body(ROW, row(n))) for n in range(1, 11)]
        await send_to(kafka, topics.incoming, 3, reviews)
        await registry.was_asked(2)
        async with running_worker(settings, classifier) as second:
            await holds(second, 2)
            assert second.partitions.get(TopicPartition(topics.incoming, 3)) is not None
        await holds(first, 4)
        registry.failing = None
        await read_outputs(kafka, topics, len(reviews))
    # Once more after the worker's last commit: what is answered twice may come late.
    records = await read_outputs(kafka, topics, len(reviews))
    assert len(footwear_in(records, topics)) == len(reviews)


async def longest_pause(seconds):
    """Return the longest time that others had to wait for their turn."""
    longest = 0.0
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - began)
    return longest


async def test_heartbeats_have_their_turn_while_messages_that_take_long_are_read(
    kafka, settings, tmp_path, monkeypatch
):
    topics = settings.topic_names
    reviews = [wired(1, avro_body(ROW, row(n))) for n in range(1, 101)]
    await send_to(kafka, topics.incoming, 0, reviews)

    def slowly(*args, **kwargs):
        time.sleep(0.02)
        return decode_event(*args, **kwargs)

    monkeypatch.setattr(app, "decode_event", slowly)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        pausing = asyncio.create_task(longest_pause(6))
        records = await read_outputs(kafka, topics, len(reviews))
        assert await pausing < 1, "100 of 20 ms are two seconds"
    assert len(footwear_in(records, topics)) == len(reviews)


async def test_doctor_reads_what_the_registry_knows_and_tells_when_it_is_away(
    kafka, settings, registry
):
    topics = settings.topic_names
    await send(
        kafka, topics.incoming, [(None, wired(1, avro_body(ROW, row(n)))) for n in range(1, 4)]
    )
    (finding,) = await incoming_messages(settings)
    assert finding.state == "ok", finding
    registry.failing = 503
    with pytest.raises(RegistryUnavailable, match="503"):
        await incoming_messages(settings)


async def test_an_erasure_finds_a_review_in_avro(kafka, settings):
    topics = settings.topic_names
    await send(
        kafka, topics.incoming, [(None, wired(1, avro_body(ROW, row(n)))) for n in range(1, 4)]
    )
    copies = (await find_copies(settings, ["2"]))["2"]
    assert {topic.topic: topic.records for topic in copies.topics} == {topics.incoming: 1}
    assert copies.written == {BOOTS}


async def test_without_a_registry_a_file_says_what_messages_say(kafka, topic_prefix, tmp_path):
    (tmp_path / "review.avsc").write_text(json.dumps(ROW))
    settings = pipeline_settings(
        kafka, topic_prefix, incoming={"schema_file": tmp_path / "review.avsc"}
    )
    await create_topics(settings)
    topics = settings.topic_names
    own = (b"r9", json.dumps({"review_id": "r9", "text": BOOTS}).encode())
    reviews = [(None, avro_body(ROW, row(n))) for n in range(5_000, 5_010)]
    await send(kafka, topics.incoming, [*reviews, own, (None, b"\xff\xff")])
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = await read_outputs(kafka, topics, len(reviews) + 2)
    assert sorted(footwear_in(records, topics)) == [*map(str, range(5_000, 5_010)), "r9"]
    (dead,) = by_topic(records)[topics.dead_letter]
    assert DeadLetterReason.from_headers(dead.headers).code == "other-format"
    found = (await find_copies(settings, ["5003"]))["5003"]
    assert {topic.topic.rpartition(".")[2]: topic.records for topic in found.topics} == {
        "incoming": 1,
        "footwear": 1,
    }
