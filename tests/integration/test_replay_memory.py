"""What was sent back stays known when brokers have forgotten the group, and whatever else stands on the topic."""

import asyncio
import itertools

import pytest
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.admin import DeleteGroupsRequest

from schemas import (
    DeadLetterReason,
    ReplayProgress,
    SourcePosition,
    TopicNames,
    decode,
    encode,
)
from stream.errors import BrokerError, InputError, TopicMissing
from stream.exactly_once.group_producer import PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.transactional_producer import transactional_id
from stream.kafka.administering import administering
from stream.kafka.membership import NotedOffset
from stream.kafka.topic_creation import create_topics as create_own
from stream.kafka.topic_creation import delete_topics
from stream.kafka.topics import await_leaders, partitions_of
from stream.operations import replay_memory
from stream.operations.replay import DeadLetterReplay
from stream.operations.replay_choice import Choice
from stream.worker.group_member import transaction_options
from tests.integration.test_topic_recreated import recreate
from tests.support.pipeline import WAIT_SECONDS, create_topics, read_topic
from tests.support.unended import being_ended

pytestmark = pytest.mark.kafka

# No two letters are the same message, which would have come back.
NUMBERS = itertools.count()


@pytest.fixture
async def settings(kafka, topic_prefix):
    return await create_topics(kafka, TopicNames(topic_prefix), partitions=1)


async def letters(settings, *codes, partition=0):
    """Write a dead letter for each code."""
    names = settings.topic_names
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap_servers) as producer:
        for code in codes:
            number = next(NUMBERS)
            reason = DeadLetterReason(
                code=code,
                message="",
                source=SourcePosition(topic=names.incoming, partition=0, offset=number),
                timestamp_ms=0,
                group="g",
                worker="w",
            )
            value, headers = b"%s %d" % (code.encode(), number), reason.headers()
            await producer.send(names.dead_letter, value, b"k", partition, headers=headers)


async def replayed(settings, limit=None, **choice):
    report = await DeadLetterReplay(settings, Choice(**choice), limit=limit).run()
    return report.replayed, report.left


async def forget(settings):
    """Do what brokers do after `offsets.retention.minutes`."""
    group = DeadLetterReplay(settings).group
    async with administering(settings.kafka) as admin:
        node = await admin.find_coordinator(group)
        reply = await admin._send_request(DeleteGroupsRequest([group]), node)
    assert reply.results == [(group, 0)]


async def write(settings, value, key=None, partition=0):
    topic = settings.topic_names
    key = f"{topic.dead_letter}/0".encode() if key is None else key
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap_servers) as producer:
        await producer.send_and_wait(topic.replays, value, key, partition)


def record(settings, position, **other):
    return ReplayProgress(
        **{"topic": settings.topic_names.dead_letter, "partition": 0, "position": position} | other
    )


async def grow(settings, topic, partitions):
    async with administering(settings.kafka) as admin:
        await admin.create_partitions({topic: NewPartitions(partitions)})
    async with asyncio.timeout(WAIT_SECONDS):
        # The broker tells nobody: it must be asked.
        while len(await partitions_of(settings.kafka, topic)) < partitions:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await await_leaders(settings.kafka, [topic])


async def test_what_was_sent_is_not_sent_again_and_what_was_left_is_when_the_group_is_forgotten(
    kafka, settings
):
    await letters(settings, "not-json", "too-large", "not-json", "too-large")
    assert await replayed(settings, codes=frozenset({"not-json"})) == (2, 2)
    await forget(settings)
    with structlog.testing.capture_logs() as logs:
        dry = await DeadLetterReplay(settings, dry_run=True).run()
        assert (dry.replayed, dry.left) == (2, 0)
        assert await replayed(settings, codes=frozenset({"not-json"})) == (0, 2)
    assert not [line for line in logs if line["log_level"] == "warning"]
    await letters(settings, "not-json")
    assert await replayed(settings) == (3, 0)
    await forget(settings)
    assert await replayed(settings) == (0, 0)
    sent = [one.value for one in await read_topic(kafka, settings.topic_names.incoming, 5)]
    assert len(sent) == len({*sent}) == 5


async def test_the_offsets_of_earlier_versions_count_and_are_put_on_record(settings):
    names = settings.topic_names
    await grow(settings, names.dead_letter, 2)
    await letters(settings, "not-json", "too-large")
    await letters(settings, "not-json", partition=1)
    assert await replayed(settings, codes=frozenset({"not-json"})) == (2, 1)
    await recreate(settings, names.replays)
    await letters(settings, "wrong-shape")
    # The limit is reached before the second partition.
    assert await replayed(settings, 1, codes=frozenset({"wrong-shape"})) == (1, 1)
    await forget(settings)
    assert await replayed(settings) == (1, 0)


async def test_all_of_a_dead_letter_topic_that_was_made_anew_is_sent(settings):
    await letters(settings, "not-json", "not-json")
    assert await replayed(settings) == (2, 0)
    await recreate(settings, settings.topic_names.dead_letter)
    await letters(settings, *["too-large"] * 3)
    with structlog.testing.capture_logs() as logs:
        assert await replayed(settings) == (3, 0)
    assert "replay_records_of_another_topic" in {line["event"] for line in logs}
    await forget(settings)
    assert await replayed(settings) == (0, 0)


async def test_what_others_wrote_among_the_records_is_said_and_not_obeyed(settings):
    await letters(settings, "not-json")
    assert await replayed(settings) == (1, 0)
    await letters(settings, "too-large")
    await forget(settings)
    forged = [
        b"{",
        b"[" * 200_000,
        b"x" * 300_000,
        None,
        encode(record(settings, 10**15)),
        encode(record(settings, 5, partition=1)),
        b'{"topic": "%s", "partition": 0, "position": 1, "left": [[5, 9]]}'
        % settings.topic_names.dead_letter.encode(),
    ]
    for value in forged:
        await write(settings, value)
    await write(settings, b"of another", b"whatever/0")
    # As if nothing had been sent: a letter that was sent never waits again.
    await write(settings, encode(record(settings, 0)))
    await write(settings, encode(record(settings, 2, left=[(0, 1)])))
    with structlog.testing.capture_logs() as logs:
        assert await replayed(settings) == (1, 0)
    said = [line for line in logs if line["event"] == "replay_record_left_out"]
    assert len(said) == len(forged)


@pytest.mark.parametrize(("committed", "sent"), [(True, 0), (False, 1)])
async def test_a_transaction_is_settled_before_its_record_is_read(settings, committed, sent):
    names = settings.topic_names
    await letters(settings, "not-json")
    options = transaction_options(settings, DeadLetterReplay(settings).group)
    tp = TopicPartition(names.dead_letter, 0)
    left = await being_ended(options, transactional_id(options.group, tp), commit=committed)
    value = encode(record(settings, 1))
    # The offset says nothing: it is the record that counts.
    messages = [Message(names.replays, f"{names.dead_letter}/0".encode(), value, [])]
    await left.write({tp: PartitionResult(messages, NotedOffset(0))})
    await left.discard()
    assert await replayed(settings) == (sent, 0)


@pytest.mark.parametrize("partition", [0, 1])
async def test_what_an_open_transaction_of_somebody_else_hides_is_waited_for(settings, partition):
    names = settings.topic_names
    # A record may stand in any partition: there may have been fewer.
    await grow(settings, names.replays, 2)
    server = settings.kafka.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=server, transactional_id=names.prefix) as other:
        await other.begin_transaction()
        await other.send_and_wait(names.replays, b"", b"of another", partition=partition)
        # What a replay recorded meanwhile.
        await write(settings, encode(record(settings, 1)), partition=partition)
        await letters(settings, "not-json")
        job = DeadLetterReplay(settings)
        job._patience = 1.0
        with pytest.raises(BrokerError, match="a transaction is open"):
            await job.run()
        replay = asyncio.create_task(replayed(settings))
        await asyncio.sleep(1)
        await other.abort_transaction()
        assert await replay == (0, 0)


async def test_dead_letters_of_a_backfill_are_remembered_apart(settings):
    topics = settings.topics.model_copy(update={"output_suffix": ".m7"})
    backfill = settings.model_copy(update={"topics": topics})
    await create_own(backfill)
    await await_leaders(settings.kafka, [backfill.topic_names.dead_letter])
    await letters(settings, "not-json", "not-json")
    await letters(backfill, "not-json", "not-json", "not-json")
    assert await replayed(backfill, limit=2) == (2, 0)
    await forget(settings)
    assert await replayed(settings) == (2, 0)
    await forget(settings)
    assert await replayed(settings) == (0, 0)
    assert await replayed(backfill) == (1, 0)


async def test_records_are_found_after_their_topic_has_grown(settings):
    names = settings.topic_names
    await grow(settings, names.dead_letter, 3)
    for partition in range(3):
        await letters(settings, "not-json", partition=partition)
    assert await replayed(settings) == (3, 0)
    await grow(settings, names.replays, 2)
    await forget(settings)
    assert await replayed(settings) == (0, 0)


async def test_more_may_be_left_than_a_note_holds(settings, monkeypatch):
    await letters(settings, *["not-json", "too-large"] * 2_200)
    assert await replayed(settings, codes=frozenset({"not-json"})) == (2_200, 2_200)
    assert await replayed(settings, codes=frozenset({"not-json"})) == (0, 2_200)
    monkeypatch.setattr(replay_memory, "MAX_EVENT_BYTES", 10_000)
    with pytest.raises(InputError, match="than can be remembered; 0 were sent before"):
        await replayed(settings, 1, codes=frozenset({"too-large"}))
    monkeypatch.undo()
    assert await replayed(settings) == (2_200, 0)


async def test_a_record_that_is_larger_than_its_topic_takes_is_an_error_with_the_remedy(settings):
    await letters(settings, *["not-json", "too-large"] * 600)
    names = settings.topic_names
    async with administering(settings.kafka) as admin:
        limit = {"max.message.bytes": "700"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, names.replays, limit)])
    with pytest.raises(InputError, match="than can be remembered") as refused:
        await replayed(settings, codes=frozenset({"not-json"}))
    assert f"max.message.bytes of {names.replays}" in refused.value.remedy


async def test_without_the_topic_of_records_nothing_is_sent(kafka, settings):
    await letters(settings, "not-json")
    await delete_topics(settings, [settings.topic_names.replays])
    with pytest.raises(TopicMissing) as refused:
        await replayed(settings)
    assert "reviews topics create" in refused.value.remedy


async def test_a_dry_run_records_nothing_and_a_replay_only_what_changed(kafka, settings):
    names = settings.topic_names
    await letters(settings, "not-json", "too-large")
    await DeadLetterReplay(settings, dry_run=True).run()
    assert await replayed(settings, codes=frozenset({"not-json"})) == (1, 1)
    written = await read_topic(kafka, names.replays, 2)
    assert await replayed(settings, codes=frozenset({"not-json"})) == (0, 1)
    assert len(await read_topic(kafka, names.replays, 2)) == len(written) == 2
    first, last = (decode(ReplayProgress, one.value) for one in written)
    assert (first.position, first.left, last.position, last.left) == (0, [], 2, [(1, 1)])
    assert len(last.topic_id) == 32
    assert {one.key for one in written} == {f"{names.dead_letter}/0".encode()}
