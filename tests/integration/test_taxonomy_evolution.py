"""Categories are renamed, merged, split and removed while labels and open questions are on Kafka."""

import pytest
import redis

from schemas import load_taxonomy, using
from stream.queue.export import standing_labels
from tests.support.pipeline import create_topics
from tests.support.queue import (
    add_people,
    queue_settings,
    reviewer,
    running_queue,
    send_tasks,
    task,
)
from tests.support.taxonomies import bank

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
