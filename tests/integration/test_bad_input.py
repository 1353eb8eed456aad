"""Whatever a producer sends: nothing crashes or blocks, nothing is lost, everything is explained."""

import json

import pytest
from aiokafka import AIOKafkaProducer

from schemas import (
    CategorizedReview,
    Category,
    DeadLetterReason,
    Review,
    SourcePosition,
    decode,
    encode,
)
from stream.kafka.topic_creation import create_topics
from stream.operations.replay import DeadLetterReplay
from stream.settings import Settings
from tests.support.pipeline import (
    by_topic,
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
    source_of,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

GOOD = (b"good", encode(Review(review_id="good", text="платье хорошее")))

BAD = {
    "not JSON": (b"not json at all", "not-json"),
    "JSON of the wrong shape": (b'{"review_id": "1", "comment": "no text"}', "wrong-shape"),
    "JSON that is no object": (b'["text"]', "wrong-shape"),
    "invalid UTF-8": (b'{"review_id": "1", "text": "\xff\xfe"}', "not-json"),
    "empty text": (b'{"review_id": "1", "text": "  "}', "wrong-shape"),
    "empty bytes": (b"", "not-json"),
    "a text of 1 MB": (
        json.dumps({"review_id": "1", "text": "a" * 1_000_000}).encode(),
        "too-large",
    ),
    "Avro": (b"\0\0\0\0\x08\x04r1\x0ahello", "other-format"),
    "unknown schema version": (
        b'{"schema_version": 99, "review_id": "1", "text": "hello"}',
        "unknown-schema-version",
    ),
}


@pytest.fixture
async def settings(kafka, topic_prefix) -> Settings:
    made = pipeline_settings(kafka, topic_prefix)
    await create_topics(made)
    return made


@pytest.fixture
def classifier(tmp_path):
    return tiny_classifier(tmp_path / "model")


@pytest.fixture
async def dead_letters(kafka, settings, classifier):
    """Every bad input between two good ones, through a real worker; the dead letters by key."""
    topics = settings.topic_names
    messages = [(name.encode(), value) for name, (value, _) in BAD.items()]
    count = await send(kafka, topics.incoming, [GOOD, *messages, GOOD])
    async with running_worker(settings, classifier):
        records = await read_outputs(kafka, topics, count)
    assert len(records) == len({source_of(record, topics) for record in records}) == count
    found = by_topic(records)
    assert len(found[topics.category(Category("clothing"))]) == 2, "the good ones were held up"
    return {record.key.decode(): record for record in found[topics.dead_letter]}


async def test_every_bad_input_becomes_a_dead_letter_with_its_reason(dead_letters):
    codes = {
        name: DeadLetterReason.from_headers(record.headers).code
        for name, record in dead_letters.items()
    }
    assert codes == {name: code for name, (_, code) in BAD.items()}


async def test_a_dead_letter_keeps_the_original_bytes(dead_letters):
    assert {name: record.value for name, record in dead_letters.items()} == {
        name: value for name, (value, _) in BAD.items()
    }


async def test_a_dead_letter_says_where_it_came_from(dead_letters, settings):
    for record in dead_letters.values():
        reason = DeadLetterReason.from_headers(record.headers)
        assert reason.source.topic == settings.topic_names.incoming
        assert reason.source.partition == record.partition
        assert reason.message


async def test_dead_letters_are_replayed_once_as_they_were(kafka, settings, dead_letters):
    incoming = settings.topic_names.incoming
    before = len(BAD) + 2
    report = await DeadLetterReplay(settings).run()
    again = await DeadLetterReplay(settings).run()
    records = await read_topic(kafka, incoming, before + len(BAD))
    assert (report.replayed, again.replayed) == (len(BAD), 0)
    assert len(records) == before + len(BAD)
    for name in BAD:
        original, replayed = [r for r in records if r.key == name.encode()]
        assert replayed.value == original.value
        assert replayed.headers == original.headers
        assert replayed.partition == original.partition


async def test_a_dry_run_replays_nothing(kafka, settings, dead_letters):
    report = await DeadLetterReplay(settings, dry_run=True).run()
    records = await read_topic(kafka, settings.topic_names.incoming, len(BAD) + 2)
    assert report.replayed == len(BAD)
    assert len(records) == len(BAD) + 2


async def test_a_limited_replay_goes_on_where_it_stopped(settings, dead_letters):
    replayed = [(await DeadLetterReplay(settings, limit=4).run()).replayed for _ in range(4)]
    assert replayed == [4, 4, len(BAD) - 8, 0]


async def test_a_header_cannot_choose_where_a_replay_writes(kafka, settings):
    names = settings.topic_names
    forged = DeadLetterReason(
        code="not-json",
        message="",
        source=SourcePosition(topic=names.labels, partition=0, offset=0),
        timestamp_ms=0,
        group="g",
        worker="w",
    )
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(names.dead_letter, b"x", headers=forged.headers())
    report = await DeadLetterReplay(settings).run()
    assert (report.replayed, report.foreign) == (0, 1)


async def test_a_repeated_review_id_is_answered_each_time_in_order(kafka, settings, classifier):
    topics = settings.topic_names
    texts = ["платье", "платье", "чайник"]
    values = [(b"same", encode(Review(review_id="same", text=text))) for text in texts]
    await send(kafka, topics.incoming, values)
    async with running_worker(settings, classifier):
        records = await read_outputs(kafka, topics, len(values))
    decided = [decode(CategorizedReview, record.value) for record in records]
    by_offset = sorted(decided, key=lambda event: event.source.offset)
    assert [event.category for event in by_offset] == [
        Category("clothing"),
        Category("clothing"),
        Category("household-appliances"),
    ]
    assert len({record.partition for record in records}) == 1
