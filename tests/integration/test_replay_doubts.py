"""Where nobody knows whether letters were sent back, a replay refuses until a person says it."""

from datetime import UTC, datetime

import pytest
import structlog

from schemas import ReplayProgress, TopicNames, decode, encode
from stream.errors import InputError
from stream.operations import replay_choice, replay_memory, replay_records
from stream.operations.replay import DeadLetterReplay
from stream.operations.replay_choice import Choice
from tests.integration.test_replay_memory import forget, letters, record, replayed, write
from tests.integration.test_topic_recreated import recreate
from tests.support.pipeline import create_topics, read_topic

pytestmark = pytest.mark.kafka

NEVER = datetime(2000, 1, 1, tzinfo=UTC)
FIRST = frozenset({"not-json"})


@pytest.fixture
async def settings(kafka, topic_prefix):
    return await create_topics(kafka, TopicNames(topic_prefix), partitions=1)


async def said(settings, sent_before, **choice):
    job = DeadLetterReplay(settings, Choice(**choice), sent_before=sent_before)
    report = await job.run()
    return report.replayed, report.left


async def refused(settings):
    """Replay in vain, and return why; a dry run says the same."""
    with pytest.raises(InputError, match="is not known: ") as error:
        await replayed(settings)
    assert "--sent-before" in error.value.remedy
    with structlog.testing.capture_logs() as logs:
        await DeadLetterReplay(settings, dry_run=True).run()
    (doubt,) = (line for line in logs if line["event"] == "replay_in_doubt")
    assert doubt["reason"] in error.value.message
    return doubt["reason"]


def survives(monkeypatch, offset):
    """Let the group's offset be that of a former topic: brokers of Apache forget it, sooner or later."""

    async def kept(*_):
        return offset

    monkeypatch.setattr(replay_memory, "committed_offset", kept)


def without_ids(monkeypatch):
    async def none(*_):
        return {}

    monkeypatch.setattr(replay_memory, "topic_ids", none)
    monkeypatch.setattr(replay_records, "_CLOCKS_MS", 1)


async def test_a_record_of_a_former_topic_is_not_obeyed_where_brokers_name_no_ids(
    settings, monkeypatch
):
    without_ids(monkeypatch)
    await letters(settings, "not-json", "not-json")
    assert await replayed(settings) == (2, 0)
    await forget(settings)
    assert await replayed(settings) == (0, 0)
    await recreate(settings, settings.topic_names.dead_letter)
    await letters(settings, *["not-json"] * 3)
    assert "there was no position 2" in await refused(settings)
    # Some brokers keep the offset of the former topic.
    survives(monkeypatch, 2)
    assert "is that of a former topic" in await refused(settings)
    assert await said(settings, NEVER) == (3, 0)
    await forget(settings)
    assert await replayed(settings) == (0, 0)


@pytest.mark.parametrize("position", [2, 10])
async def test_an_offset_that_survived_its_topic_is_not_obeyed(settings, position, monkeypatch):
    await letters(settings, "not-json", "not-json")
    assert await replayed(settings) == (2, 0)
    await recreate(settings, settings.topic_names.dead_letter)
    await letters(settings, *["not-json"] * 3)
    survives(monkeypatch, position)
    assert "is that of a former topic" in await refused(settings)
    assert await said(settings, NEVER) == (3, 0)


UNREADABLE = {
    "none": lambda _: None,
    "no JSON": lambda _: b"{",
    "later": lambda settings: encode(record(settings, 1, schema_version=2)),
    "beyond the end": lambda settings: encode(record(settings, 10**15)),
}


@pytest.mark.parametrize("unreadable", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_last_record_that_does_not_count_hides_what_was_sent_unless_the_group_knows(
    settings, unreadable
):
    await letters(settings, "not-json", "too-large")
    assert await replayed(settings, codes=FIRST) == (1, 1)
    await recreate(settings, settings.topic_names.replays)
    await write(settings, unreadable(settings))
    assert await replayed(settings, codes=FIRST) == (0, 1)
    # That was put on record anew.
    await forget(settings)
    assert await replayed(settings, codes=FIRST) == (0, 1)
    await recreate(settings, settings.topic_names.replays)
    await write(settings, unreadable(settings))
    moment = datetime.now(UTC)
    await letters(settings, "not-json")
    assert "the last record of it" in await refused(settings)
    assert await said(settings, moment) == (1, 0)
    await forget(settings)
    assert await replayed(settings) == (0, 0)


async def test_letters_that_only_a_lost_record_knew_are_in_doubt(kafka, settings, monkeypatch):
    names = settings.topic_names
    monkeypatch.setattr(replay_choice, "MOST_NOTE_BYTES", 0)
    await letters(settings, "not-json", "too-large")
    assert await replayed(settings, codes=FIRST) == (1, 1)
    *_, old = await read_topic(kafka, names.replays, 2)
    assert decode(ReplayProgress, old.value).left == [(1, 1)]
    await letters(settings, "not-json", "too-large")
    assert await replayed(settings, codes=FIRST) == (1, 2)
    await recreate(settings, names.replays)
    assert "has lost the record of letters before 4" in await refused(settings)
    await write(settings, old.value)
    assert "has lost the record of letters before 4" in await refused(settings)
    # What the older record says was sent is not sent again, whatever is said.
    assert await said(settings, NEVER) == (3, 0)
    assert await replayed(settings) == (0, 0)


async def test_a_partition_without_letters_is_in_no_doubt(settings):
    await write(settings, b"{")
    assert await replayed(settings) == (0, 0)
