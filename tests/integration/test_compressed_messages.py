"""Small on the wire, huge when read: no compressed message stops a partition or fills the memory."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from schemas import Category, DeadLetterReason, Review, encode
from stream.kafka.topic_creation import create_topics
from stream.operations.replay import DeadLetterReplay
from stream.settings import Settings
from tests.support.command_line import running
from tests.support.pipeline import by_topic, pipeline_settings, read_outputs, running_worker
from tests.support.tiny_model import tiny_classifier, write_tiny_model

pytestmark = pytest.mark.kafka

GOOD = encode(Review(review_id="good", text="платье хорошее"))
MB = 1_000_000


@pytest.fixture
async def settings(kafka, topic_prefix) -> Settings:
    made = pipeline_settings(kafka, topic_prefix)
    await create_topics(made)
    return made


async def send_compressed(kafka, topic, codec, *messages, headers=()):
    """Publish messages in one compressed batch each, and a good one behind them."""
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, compression_type=codec, max_request_size=400 * MB
    ) as producer:
        for key, value in messages:
            await producer.send_and_wait(topic, value, key=key, partition=0, headers=headers)
        await producer.send_and_wait(topic, GOOD, key=b"good", partition=0)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_message_of_12_mb_is_told_of_and_the_next_one_comes_out(
    kafka, settings, tmp_path, codec
):
    topics, value = settings.topic_names, bytes(12 * MB)
    await send_compressed(kafka, topics.incoming, codec, (b"bomb", value))
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = by_topic(await read_outputs(kafka, topics, 2))
    assert len(records[topics.category(Category("clothing"))]) == 1
    (letter,) = records[topics.dead_letter]
    reason = DeadLetterReason.from_headers(letter.headers)
    assert (reason.code, reason.source.offset) == ("too-large", 0)
    assert (letter.key, letter.value) == (b"bomb", bytes(1024))
    assert (reason.cut.value_bytes, reason.cut.key_bytes) == (12 * MB, 4)
    assert reason.cut.sha256 == hashlib.sha256(value).hexdigest()


async def test_what_becomes_more_than_any_batch_of_reviews_is_not_even_read_to_its_end(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    await send_compressed(kafka, topics.incoming, "zstd", (b"bomb", bytes(150 * MB)))
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = by_topic(await read_outputs(kafka, topics, 2))
    (letter,) = records[topics.dead_letter]
    reason = DeadLetterReason.from_headers(letter.headers)
    assert (reason.code, reason.source.offset) == ("too-large", 0)
    assert "becomes more than 67,108,864 bytes" in reason.message
    assert len(letter.value) <= 1024
    assert len(records[topics.category(Category("clothing"))]) == 1


async def test_keys_and_headers_above_a_bound_are_cut_as_values_are(kafka, settings, tmp_path):
    topics = settings.topic_names
    long_header = [("h", bytes(5 * MB))]
    await send_compressed(kafka, topics.incoming, "gzip", (bytes(9 * MB), b"x"))
    await send_compressed(kafka, topics.incoming, "gzip", (b"k", b"x"), headers=long_header)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = by_topic(await read_outputs(kafka, topics, 4))
    first, second = records[topics.dead_letter]
    reasons = [DeadLetterReason.from_headers(letter.headers) for letter in (first, second)]
    assert [reason.cut.key_bytes for reason in reasons] == [9 * MB, 1]
    assert first.key == bytes(1024)
    assert reasons[1].cut.header_bytes > 5 * MB
    assert not [name for name, _ in second.headers if name == "h"]


async def test_what_redaction_makes_larger_than_the_topic_takes_is_cut(
    kafka, topic_prefix, tmp_path
):
    settings = pipeline_settings(kafka, topic_prefix, privacy={"redact_stored": True})
    await create_topics(settings)
    topics = settings.topic_names
    # Cyrillic as escapes takes three times as much, and a phone makes all of it be written anew.
    value = ('{"text": "' + "я" * 450_000 + ' +7 912 345-67-89"}').encode()
    await send_compressed(kafka, topics.incoming, None, (b"k", value))
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = by_topic(await read_outputs(kafka, topics, 2))
    (letter,) = records[topics.dead_letter]
    assert DeadLetterReason.from_headers(letter.headers).cut.value_bytes == len(value)


async def test_a_cut_dead_letter_is_left_out_of_a_replay(kafka, settings, tmp_path):
    topics = settings.topic_names
    await send_compressed(
        kafka, topics.incoming, "gzip", (b"cut", bytes(12 * MB)), (b"large", bytes(15 * MB // 10))
    )
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        await read_outputs(kafka, topics, 3)
    report = await DeadLetterReplay(settings).run()
    assert (report.replayed, report.cut, report.too_large) == (0, 1, 1)
    assert await DeadLetterReplay(settings).run() == type(report)()


@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_a_worker_stays_small_whatever_its_partitions_become_when_they_are_read(
    kafka, settings, tmp_path, record_property
):
    topics = settings.topic_names
    write_tiny_model(tmp_path / "model")
    # Right events, each with much white space: a batch of them is as large as one may be.
    wide = GOOD + b" " * 200_000
    for partition in range(4):
        async with AIOKafkaProducer(
            bootstrap_servers=kafka,
            compression_type="zstd",
            max_request_size=400 * MB,
            max_batch_size=100 * MB,
            linger_ms=500,
        ) as producer:
            await producer.send_and_wait(topics.incoming, GOOD, partition=partition)
            for size in (150 * MB, 60 * MB, 150 * MB):
                await producer.send_and_wait(topics.incoming, bytes(size), partition=partition)
            sent = [
                await producer.send(topics.incoming, wide, partition=partition) for _ in range(300)
            ]
            await asyncio.gather(*sent)
    variables = {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_TOPICS__PREFIX": topics.prefix,
        "REVIEWS_WORKER__GROUP": settings.worker.group,
        "REVIEWS_CACHE__URL": "",
        "REVIEWS_HTTP__PORT": "0",
        "REVIEWS_MODEL__FOLDER": str(tmp_path / "model"),
    }
    with running("work", **variables) as worker:
        records = by_topic(await read_outputs(kafka, topics, 4 * 304))
        peak = peak_megabytes(worker.pid)
    record_property("peak_megabytes", peak)
    assert len(records[topics.dead_letter]) == 4 * 3
    assert len(records[topics.category(Category("clothing"))]) == 4 * 301
    # An idle worker has 140. Before batches were read in pieces, one of 150 MB took 4,500.
    assert peak < 350, f"{peak} MB"


def peak_megabytes(pid):
    """Return the most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1000
