"""The queue's Redis loses a part of what it keeps, or stops taking writes: noticed, said, mended."""

import pytest
import redis
import structlog

from deploy.local import LocalRedis
from schemas import Category, TopicNames
from stream.queue.redis_scripts import Scripts, connect_to
from tests.support.pipeline import create_topics
from tests.support.queue import (
    TEXTS,
    Reviewer,
    add_people,
    queue_settings,
    reviewer,
    running_queue,
    send_tasks,
    task,
    until_ready,
)
from tests.support.queue_pages import client_of, pages_settings, served_pages

COUNT = len(TEXTS)
EVERYBODY = ("user default on nopass ~* &* +@all",)
# What waits, in which order, what was decided, and what there must be.
GROUPS = 3000
LOST = ("meta", "info:*", "decided", "present")


@pytest.fixture
def writable(tmp_path):
    """A Redis whose memory the test may bound while it runs."""
    with LocalRedis(tmp_path / "redis", users=EVERYBODY) as server:
        yield server


def bound(server, memory):
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", memory)


@pytest.mark.kafka
async def test_whatever_key_is_lost_is_restored_and_nothing_is_asked_twice(
    kafka, topic_prefix, redis_url, tmp_path
):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    await create_topics(kafka, settings.topic_names)
    add_people(settings, "ann")
    await send_tasks(settings, [task(number) for number in range(COUNT)])
    decided, missed = [], []
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
            for name in LOST:
                card = await ann.until_card()
                answer = await ann.decide(card, Category("kids"))
                assert answer.status_code == 200
                decided.append(card["review_id"])
                keys = list(client.scan_iter(f"*reviews.queue.{topic_prefix}}}:{name}"))
                client.delete(*keys)
                # As the next person does, who finds fewer reviews than wait, or none.
                await ann.client.get("/")
                await until_ready(queue.url)
                missed += [key for key in keys if ":info:" not in key and not client.exists(key)]
            rest = []
            while card := await ann.card():
                await ann.decide(card, Category("kids"))
                rest.append(card["review_id"])
    assert missed == []
    assert sorted(decided + rest) == sorted(f"r{n}" for n in range(COUNT))


@pytest.fixture
async def grouped(writable):
    """The scripts of a queue with many groups of near-identical reviews."""
    scripts = Scripts(connect_to(writable.url, None), TopicNames("p"))
    names = [f"cluster:r{number}" for number in range(GROUPS)]
    async with scripts.redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.zadd(scripts.key(name), {"copy": 1})
        pipeline.hset(scripts.key("offset"), "relabel:0", "1")
        pipeline.sadd(scripts.key("present"), "offset", "present:groups")
        pipeline.sadd(scripts.key("present:groups"), *names)
        await pipeline.execute()
    yield scripts
    await scripts.redis.aclose()


async def test_a_call_costs_the_same_however_many_near_identical_reviews_wait(grouped):
    await grouped.redis.config_resetstat()
    await grouped.run("take", "ann", 0, 1, "r0")
    asked = await grouped.redis.info("commandstats")
    assert asked["cmdstat_exists"]["calls"] < 10


async def test_lost_groups_of_near_identical_reviews_are_noticed(grouped):
    await grouped.redis.delete(*(grouped.key(f"cluster:r{n}") for n in range(0, GROUPS, 2)))
    status, *lost = await grouped.run("take", "ann", 0, 1, "r0")
    assert status == "incomplete"
    assert {name.partition(":")[0] for name in lost} == {"cluster"}


async def test_a_decision_that_kafka_has_is_a_decision_although_redis_became_full(
    writable, topic_prefix, tmp_path
):
    settings = pages_settings(writable.url, topic_prefix, tmp_path, transaction_timeout_ms=500)
    async with served_pages(settings, [task(0), task(1)]) as pages, client_of(pages) as client:
        ann = Reviewer(client)
        await ann.sign_in("ann")
        publish = pages.publisher.publish

        async def then_full(acts):
            places = await publish(acts)
            bound(writable, 1)
            return places

        pages.publisher.publish = then_full
        card = await ann.card()
        saved = await ann.decide(card, Category("kids"))
        bound(writable, 0)
        again = await ann.decide(card, Category("kids"))
        labels = list(pages.publisher.labels)
        await pages.file_labels(labels)
        other = await ann.card()
    assert saved.status_code == 200
    assert again.status_code == 503
    assert [label.review_id for label in labels] == [card["review_id"]]
    assert other["review_id"] != card["review_id"]


async def test_a_full_redis_is_said_to_be_full_and_costs_nothing_that_it_holds(
    writable, topic_prefix, tmp_path
):
    settings = pages_settings(writable.url, topic_prefix, tmp_path)
    async with served_pages(settings, [task(0)]) as pages, client_of(pages) as client:
        ann = Reviewer(client)
        await ann.sign_in("ann")
        bound(writable, 1)
        with structlog.testing.capture_logs() as logs:
            refused = await ann.client.get("/")
        is_ready = await pages.site.filing.is_ready()
        bound(writable, 0)
        card = await ann.card()
    assert refused.status_code == 503
    assert is_ready
    assert card["review_id"] == "r0"
    assert [log["event"] for log in logs if "dropped" in log["event"]] == []
