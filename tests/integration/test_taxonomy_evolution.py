"""Categories are renamed, merged, split and removed while labels, open questions and reviews are on Kafka."""

import asyncio
import contextlib
import json

import pytest
import redis
from aiokafka import AIOKafkaProducer

from schemas import CategorizedReview, RelabelTask, TopicNames, decode, load_taxonomy, using
from stream.kafka import topic_creation
from stream.kafka.topics import await_leaders
from stream.queue.export import standing_labels
from stream.taxonomies.diff import changes, steps
from tests.support.pipeline import (
    WAIT_SECONDS,
    by_topic,
    create_topics,
    pipeline_settings,
    read_topics,
    running_worker,
)
from tests.support.queue import (
    add_people,
    queue_settings,
    reviewer,
    running_queue,
    send_tasks,
    task,
)
from tests.support.taxonomies import bank
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

NEW = """
name = "bank"
removed = ["intent_5"]
[[category]]
slug = "intent_0"
[[category]]
slug = "renamed"
formerly = ["intent_1"]
[[category]]
slug = "merged"
formerly = ["intent_2", "intent_3"]
[[category]]
slug = "left"
formerly = ["intent_4"]
[[category]]
slug = "right"
formerly = ["intent_4"]
"""
COUNT = 8
KEPT = {"intent_0": "intent_0", "intent_1": "renamed", "intent_2": "merged", "intent_3": "merged"}


@pytest.fixture
def old(tmp_path):
    return bank(tmp_path / "old", 6)


@pytest.fixture
def new(tmp_path):
    (tmp_path / "taxonomy.toml").write_text(NEW, encoding="utf-8")
    return load_taxonomy(tmp_path)


def text(number):
    return f"{'abcdefgh'[number] * 6} question {number} about {'ijklmnop'[number] * 7}"


async def test_labels_follow_their_categories_and_what_lost_its_own_is_asked_again(
    kafka, topic_prefix, redis_url, tmp_path, old, new
):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    add_people(settings, "ann")
    decided = {}
    with using(old):
        await create_topics(kafka, settings.topic_names)
        await send_tasks(settings, [task(n, text(n)) for n in range(COUNT)])
        async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
            for category in old.categories:
                card = await ann.until_card()
                assert (await ann.decide(card, category)).status_code == 200
                decided[card["review_id"]] = category.slug
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    with using(new):
        await create_topics(kafka, settings.topic_names)
        standing = {
            label.review_id: label.category
            for label in await standing_labels(settings)
            if not label.withdrawn
        }
        async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
            asked = set()
            for _ in range(COUNT - len(KEPT)):
                card = await ann.until_card()
                assert (await ann.decide(card, new.category("left"))).status_code == 200
                asked.add(card["review_id"])
            nothing = await ann.card()
        final = {label.review_id: label.category for label in await standing_labels(settings)}
    kept = {review: KEPT[slug] for review, slug in decided.items() if slug in KEPT}
    assert standing == kept
    assert asked == {f"r{n}" for n in range(COUNT)} - set(kept)
    assert nothing == {}
    assert final == kept | dict.fromkeys(asked, "left")


class Stream:
    """Reviews that keep coming, one category's keyword after the other, and some that nobody knows."""

    def __init__(self, kafka, topic):
        self._kafka, self._topic = kafka, topic
        self._more = asyncio.Event()
        self._ended = asyncio.Event()
        self.sent = []

    async def until_more(self, count):
        """Wait until so many more reviews are acknowledged."""
        wanted = len(self.sent) + count
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.sent) < wanted:
                self._more.clear()
                await self._more.wait()

    async def _send(self):
        async with AIOKafkaProducer(
            bootstrap_servers=self._kafka, enable_idempotence=True
        ) as producer:
            while not self._ended.is_set():
                for _ in range(10):
                    number = len(self.sent)
                    review_id = f"r{number}"
                    text = f"word{number % 7} {number}"
                    value = json.dumps({"review_id": review_id, "text": text}).encode()
                    await producer.send_and_wait(self._topic, value, key=review_id.encode())
                    self.sent.append(review_id)
                self._more.set()
                # So many a second, not as many as there can be: the test has to read all of them.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), 0.1)

    @contextlib.asynccontextmanager
    async def flowing(self):
        """Send until the block ends."""
        task = asyncio.create_task(self._send())
        try:
            yield
        finally:
            self._ended.set()
            await asyncio.wait_for(task, WAIT_SECONDS)


async def test_while_reviews_keep_coming_none_is_lost_or_published_twice(
    kafka, topic_prefix, tmp_path, old, new
):
    """What `reviews taxonomy diff` says to run is run, and no producer is stopped meanwhile."""
    settings = pipeline_settings(kafka, topic_prefix)
    names = TopicNames(topic_prefix)
    plan = steps(old, new, changes(old, new), names)
    assert plan.commands[0] == "reviews topics create"
    with using(old):
        await create_topics(kafka, names)
        before = set(names.outputs())
        model = tiny_classifier(tmp_path / "old-model")
    stream = Stream(kafka, names.incoming)
    async with stream.flowing():
        with using(old):
            async with running_worker(settings, model):
                await stream.until_more(60)
                await read_topics(kafka, before, 30)
        await stream.until_more(20)  # no worker runs
        with using(new):
            made = await topic_creation.create_topics(settings)
            await await_leaders(settings.kafka, [topic.name for topic in made])
            model = tiny_classifier(tmp_path / "new-model")
            async with running_worker(settings, model):
                await stream.until_more(40)
                # What was sent so far is decided while more is coming.
                await read_topics(kafka, before | set(names.outputs()), len(stream.sent))
    with using(new):
        async with running_worker(settings, model):
            records = await read_topics(kafka, before | set(names.outputs()), len(stream.sent))
        found = by_topic(records)
        tasks = [decode(RelabelTask, record.value) for record in found[names.relabel]]
        told = {
            decode(CategorizedReview, record.value).category
            for topic in plan.topics_to_create
            for record in found[topic]
        }
    assert sorted(record.key.decode() for record in records) == sorted(stream.sent)
    assert {topic.name for topic in made if topic.name in plan.topics_to_create} == set(
        plan.topics_to_create
    )
    # Both models decided: the old one's stay where they are, the new one's are where the plan says.
    assert all(found.get(topic) for topic in plan.topics_left)
    assert told == {"renamed", "merged", "left", "right"}
    # Open questions of the old model are read with today's categories.
    assert {slug for task in tasks for slug in task.probabilities} <= set(new.slugs)
