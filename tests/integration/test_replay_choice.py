"""Dead letters are chosen by reason, key and time; the others wait, and what came back is not sent again."""

from datetime import UTC, datetime, timedelta

import pytest
import structlog

from schemas import Review, encode
from stream.errors import InputError
from stream.kafka.expiry import Expiry
from stream.kafka.topic_creation import create_topics
from stream.operations import replay_doubts
from stream.operations.replay import DeadLetterReplay
from stream.operations.replay_choice import Choice
from tests.support.pipeline import (
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

BAD = {b"a": b"not json", b"b": b'{"review_id": "b"}', b"c": b"\0\0\0\0\1\2", b"d": b"nor this"}


@pytest.fixture
async def settings(kafka, topic_prefix):
    made = pipeline_settings(kafka, topic_prefix, topics={"partitions": 1})
    await create_topics(made)
    return made


async def died(kafka, settings, tmp_path, count):
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        await read_outputs(kafka, settings.topic_names, count)


async def replayed(settings, **choice):
    report = await DeadLetterReplay(settings, Choice(**choice)).run()
    return report.replayed, report.left, report.came_back


async def incoming(kafka, settings, count):
    records = await read_topic(kafka, settings.topic_names.incoming, count)
    return [record.key for record in records][len(BAD) :]


async def test_each_is_sent_once_however_they_are_chosen(kafka, settings, tmp_path):
    await send(kafka, settings.topic_names.incoming, BAD.items())
    await died(kafka, settings, tmp_path, len(BAD))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await replayed(settings, since=tomorrow) == (0, 4, 0)
    assert await replayed(settings, codes=frozenset({"not-json"})) == (2, 2, 0)
    assert await replayed(settings, codes=frozenset({"not-json"})) == (0, 2, 0)
    assert await replayed(settings, keys=frozenset({b"c"}), until=tomorrow) == (1, 1, 0)
    assert await replayed(settings) == (1, 0, 0)
    assert await replayed(settings) == (0, 0, 0)
    assert await incoming(kafka, settings, 2 * len(BAD)) == [b"a", b"d", b"c", b"b"]


async def test_letters_that_brokers_may_have_forgotten_an_earlier_replay_of_are_not_sent_unasked(
    kafka, settings, tmp_path, monkeypatch
):
    await send(kafka, settings.topic_names.incoming, BAD.items())
    await died(kafka, settings, tmp_path, len(BAD))

    def brokers_remember(hours):
        async def told(*_):
            return Expiry(offsets=hours, transactional_ids=None, reviews=None)

        monkeypatch.setattr(replay_doubts, "expiry", told)

    async def dry_warnings():
        with structlog.testing.capture_logs() as logs:
            assert (await DeadLetterReplay(settings, dry_run=True).run()).replayed == len(BAD)
        return [line["event"] for line in logs if line["log_level"] == "warning"]

    brokers_remember(168)
    assert await dry_warnings() == []
    brokers_remember(1e-9)
    assert await dry_warnings() == ["replay_in_doubt"]
    with pytest.raises(InputError, match="no replay is on record"):
        await DeadLetterReplay(settings, limit=1).run()
    never = datetime(2000, 1, 1, tzinfo=UTC)
    assert (await DeadLetterReplay(settings, limit=1, sent_before=never).run()).replayed == 1
    assert await replayed(settings) == (len(BAD) - 1, 0, 0)


async def test_what_failed_again_for_the_same_reason_is_sent_again_only_if_one_says_so(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    await send(kafka, topics.incoming, BAD.items())
    await died(kafka, settings, tmp_path, len(BAD))
    assert await replayed(settings, keys=frozenset({b"a", b"b"})) == (2, 2, 0)
    await died(kafka, settings, tmp_path, len(BAD) + 2)
    # `a` and `b` came back; `c` and `d` were never sent back.
    assert await replayed(settings) == (2, 0, 2)
    assert await replayed(settings) == (0, 0, 2)
    dry = await DeadLetterReplay(settings, Choice(again=True), dry_run=True).run()
    assert dry.replayed == 2
    assert await replayed(settings, again=True) == (2, 0, 0)
    assert await replayed(settings, again=True) == (0, 0, 0)
    keys = await incoming(kafka, settings, len(BAD) + 6)
    assert (keys[:2], sorted(keys[2:4]), sorted(keys[4:])) == (
        [b"a", b"b"],
        [b"c", b"d"],
        [b"a", b"b"],
    )


async def test_a_letter_of_many_batches_that_wait_is_found_again(kafka, settings, tmp_path):
    topics = settings.topic_names
    good = encode(Review(review_id="1", text="платье"))
    sent = [(b"%d" % i, b"not json" if i % 50 == 0 else b"[]") for i in range(600)]
    await send(kafka, topics.incoming, [*sent, (b"g", good)])
    await died(kafka, settings, tmp_path, 601)
    assert await replayed(settings, codes=frozenset({"not-json"})) == (12, 588, 0)
    assert await replayed(settings, keys=frozenset({b"599", b"1"})) == (2, 586, 0)
    report = await DeadLetterReplay(settings, limit=100).run()
    assert report.replayed == 100
    assert await replayed(settings) == (486, 0, 0)
    records = await read_topic(kafka, topics.incoming, 1201)
    assert len({record.key for record in records[601:]}) == 600
