"""A message that is larger than its topic takes never loops: it becomes a dead letter, or an error."""

import asyncio
from datetime import UTC, datetime

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas import BatchSummary, Category, DeadLetterReason, Review, decode, encode
from stream.errors import BrokerError
from stream.kafka.topic_creation import create_topics
from stream.kafka.topics import topic_configs
from stream.queue.acts import Verdict, act_on
from stream.queue.errors import NotSaved
from stream.queue.item import Item
from stream.queue.publisher import DecisionPublisher
from stream.settings import KafkaSettings
from tests.support.pipeline import (
    by_topic,
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
    source_of,
)
from tests.support.queue import task
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

SMALL = encode(Review(review_id="small", text="платье хорошее"))
LARGE = encode(Review(review_id="large", text="платье " + "очень " * 3000))
UNSURE = encode(Review(review_id="unsure", text="непонятно " + "очень " * 3000))


async def limit(kafka, topic, most):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        resource = ConfigResource(
            ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(most)}
        )
        await admin.alter_configs([resource])
    finally:
        await admin.close()
    async with asyncio.timeout(30):
        # The controller answers before the broker has taken it up; nobody tells: it must be asked.
        while await most_of(kafka, topic) != most:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def most_of(kafka, topic):
    configs = await topic_configs(KafkaSettings(bootstrap_servers=kafka), [topic])
    return int(configs[topic]["max.message.bytes"])


@pytest.fixture
async def settings(kafka, topic_prefix):
    made = pipeline_settings(kafka, topic_prefix)
    await create_topics(made)
    return made


async def test_an_outcome_that_its_topic_does_not_take_is_a_dead_letter_and_the_rest_comes_out(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    for topic in (topics.category(Category("clothing")), topics.relabel):
        await limit(kafka, topic, 20_000)
    sent = [(b"k", value) for value in (SMALL, LARGE, UNSURE, SMALL)]
    await send(kafka, topics.incoming, sent)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = await read_outputs(kafka, topics, 4)
        batches = await read_topic(kafka, topics.batches, 1)
    assert len({source_of(record, topics) for record in records}) == len(records) == 4
    found = by_topic(records)
    assert len(found[topics.category(Category("clothing"))]) == 2
    letters = found[topics.dead_letter]
    assert [letter.value for letter in letters] == [LARGE, UNSURE]
    reasons = [DeadLetterReason.from_headers(letter.headers) for letter in letters]
    assert [reason.code for reason in reasons] == ["too-large-for-topic"] * 2
    assert topics.category(Category("clothing")) in reasons[0].message
    told = [decode(BatchSummary, record.value) for record in batches]
    assert (sum(s.published for s in told), sum(s.dead for s in told)) == (2, 2)
    assert sum(s.relabelled for s in told) == 0


async def test_many_that_are_too_large_together_only_are_sent_in_smaller_batches(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    await limit(kafka, topics.category(Category("clothing")), 20_000)
    await send(kafka, topics.incoming, [(b"k", SMALL)] * 400)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = by_topic(await read_outputs(kafka, topics, 400))
    assert len(records[topics.category(Category("clothing"))]) == 400


async def test_a_dead_letter_that_its_topic_does_not_take_is_cut(kafka, settings, tmp_path):
    topics = settings.topic_names
    await limit(kafka, topics.dead_letter, 40_000)
    await send(kafka, topics.incoming, [(b"a", b"x" * 60_000), (b"b", b"x" * 1000)])
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        letters = await read_topic(kafka, topics.dead_letter, 2)
    cuts = {r.key: DeadLetterReason.from_headers(r.headers).cut for r in letters}
    assert cuts[b"a"].value_bytes == 60_000
    assert cuts[b"b"] is None


async def test_dead_letters_of_all_sizes_for_a_topic_that_takes_hardly_any_stop_nothing(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    await limit(kafka, topics.dead_letter, 3_000)
    sizes = [
        100,
        200_000,
        1_000,
        12_000,
        2_900,
        6_000,
        60_000,
        3_000,
        *range(15_000, 3_000, -1_000),
    ]
    bad = [(b"%d" % size, b"x" * size) for size in sizes]
    await send(kafka, topics.incoming, [*bad, (b"k" * 5_000, b"x"), (b"k", SMALL)])
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = by_topic(await read_outputs(kafka, topics, len(bad) + 2))
    assert len(records[topics.category(Category("clothing"))]) == 1
    letters = records[topics.dead_letter]
    assert len(letters) == len(bad) + 1
    for letter in letters:
        reason = DeadLetterReason.from_headers(letter.headers)
        assert reason.source.topic == topics.incoming
        if reason.cut is None:
            assert letter.value == b"x" * int(letter.key)
        elif len(letter.key) < 100:
            assert reason.cut.value_bytes == int(letter.key)


async def test_a_topic_that_takes_next_to_nothing_ends_the_worker_with_the_remedy(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    await limit(kafka, topics.batches, 200)
    await send(kafka, topics.incoming, [(b"k", SMALL)])
    with pytest.raises(BrokerError) as failed:
        async with running_worker(settings, tiny_classifier(tmp_path / "model")):
            await read_topic(kafka, topics.batches, 1)
    assert topics.batches in str(failed.value)
    assert "max.message.bytes" in failed.value.remedy


async def test_a_decision_that_its_topic_does_not_take_is_refused_with_the_remedy(kafka, settings):
    topics = settings.topic_names
    item = Item(kind="first", task=task(1), expires=datetime.now(UTC), blind=False)
    act = act_on(item, Verdict("ann", Category("kids")), None, "1")
    publisher = DecisionPublisher(settings)

    async def refused():
        try:
            await publisher.publish([act])
        except NotSaved as error:
            return error
        return None

    await publisher.start()
    try:
        saved = 0
        async with asyncio.timeout(30):
            # A broker takes up a topic's new limit a moment after it was told.
            await limit(kafka, topics.labels, 200)
            while (error := await refused()) is None:
                saved += 1
            await limit(kafka, topics.labels, 1_000_000)
            while await refused():
                pass
    finally:
        await publisher.stop()
    assert "larger than the topics take" in str(error)
    assert topics.labels in error.remedy
    assert len(await read_topic(kafka, topics.labels, saved + 1)) == saved + 1
