"""Redis is lost: what was decided stays decided, what waited waits again, nothing is counted twice."""

import asyncio
import json

import pytest
import redis
from pydantic import SecretStr

from schemas import Category
from tests.support.command_line import reviews
from tests.support.pipeline import create_topics
from tests.support.queue import (
    TEXTS,
    add_people,
    hidden,
    queue_settings,
    reviewer,
    running_queue,
    send_tasks,
    task,
    until_ready,
)

pytestmark = pytest.mark.kafka
COUNT = len(TEXTS)


@pytest.fixture
async def settings(kafka, topic_prefix, redis_url, tmp_path):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    await create_topics(kafka, settings.topic_names)
    add_people(settings, "ann", "bob")
    await send_tasks(settings, [task(number) for number in range(COUNT)])
    return settings


async def decide(person, count):
    decided = []
    for _ in range(count):
        card = await person.until_card()
        await person.decide(card, Category("kids"))
        decided.append(card["review_id"])
    return decided


async def progress(person):
    page = await person.client.get("/progress-bar")
    return [page.text.split(f'id="{name}">')[1].split("<")[0] for name in ("waiting", "today")]


async def until_progress(person, wanted):
    async with asyncio.timeout(60):
        while True:
            response = await person.client.get("/progress-bar")
            if response.status_code == 200 and await progress(person) == wanted:
                return
            await asyncio.sleep(0.05)


async def rebuilt(settings, kafka, redis_url, second_share="0"):
    """Run `reviews queue rebuild`."""
    return await asyncio.to_thread(
        reviews,
        "queue",
        "rebuild",
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=kafka,
        REVIEWS_TOPICS__PREFIX=settings.topics.prefix,
        REVIEWS_QUEUE__REDIS_URL=redis_url,
        REVIEWS_QUEUE__SECOND_SHARE=second_share,
        REVIEWS_QUEUE__ACCOUNTS=str(settings.queue.accounts),
    )


async def test_an_emptied_redis_is_restored_while_people_work(settings, redis_url):
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await until_progress(ann, [str(COUNT), "0"])
        decided = await decide(ann, 4)
        undone = (await ann.post("/undo", await ann.card())).status_code
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        await until_ready(queue.url)
        await until_progress(ann, [str(COUNT - 3), "3"])
        rest = await decide(ann, COUNT - 3)
        nothing = await ann.card()
    assert undone == 200
    assert sorted(decided[:3] + rest) == sorted(f"r{n}" for n in range(COUNT))
    assert nothing == {}


async def test_rebuild_restores_without_a_server(settings, kafka, redis_url):
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await until_progress(ann, [str(COUNT), "0"])
        decided = await decide(ann, 5)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    result = await rebuilt(settings, kafka, redis_url)
    assert result.returncode == 0, result.stderr
    async with running_queue(settings) as queue, reviewer(queue, "bob") as bob:
        rest = await decide(bob, COUNT - 5)
        nothing = await bob.card()
    assert sorted(decided + rest) == sorted(f"r{n}" for n in range(COUNT))
    assert nothing == {}


async def test_what_another_secret_has_sealed_is_restored_from_kafka(settings, redis_url):
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await until_progress(ann, [str(COUNT), "0"])
        decided = await decide(ann, 3)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        key = f"{{reviews.queue.{settings.topics.prefix}}}:seal"
        former = client.get(key)
        other = settings.queue.model_copy(update={"secret": SecretStr("another secret " * 3)})
        changed = settings.model_copy(update={"queue": other})
        async with running_queue(changed) as queue, reviewer(queue, "ann") as ann:
            await until_progress(ann, [str(COUNT - 3), "3"])
            rest = await decide(ann, COUNT - 3)
        assert client.get(key) != former
    assert sorted(decided + rest) == sorted(f"r{n}" for n in range(COUNT))


async def test_a_second_opinion_and_a_disagreement_survive_the_loss(
    kafka, topic_prefix, redis_url, tmp_path
):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path, second_share=1.0)
    await create_topics(kafka, settings.topic_names)
    add_people(settings, "ann", "bob")
    add_people(settings, "eve", lead=True)
    await send_tasks(settings, [task(1), task(2)])
    async with (
        running_queue(settings) as queue,
        reviewer(queue, "ann") as ann,
        reviewer(queue, "bob") as bob,
        reviewer(queue, "eve") as eve,
    ):
        await until_progress(ann, ["2", "0"])
        await decide(ann, 2)
        second = await bob.until_card()
        await bob.decide(second, Category("footwear"))
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        await until_ready(queue.url)
        await until_progress(bob, ["0", "1"])
        other = await bob.until_card()
        page = await eve.client.get("/disputes")
        dispute = await eve.card(f"/?item={second['review_id']}")
        settled = await eve.decide(dispute, Category("electronics"))
        figures = await eve.client.get("/figures")
    assert (second["kind"], other["kind"]) == ("second", "second")
    assert other["review_id"] != second["review_id"]
    assert second["review_id"] in page.text
    assert (dispute["kind"], settled.status_code) == ("adjudication", 200)
    assert "ann — bob" in figures.text


# What the topics do not tell: leases, skips and undo are lost with Redis; the names of groups and the
# order of acts among partitions are any.
FOLDED = (
    "meta", "data", "norm", "kept", "kept:at", "decided", "second", "second:by", "second:at",
    "dispute", "dispute:at", "recent", "done", "days", "standing", "bias", "pairs",
)  # fmt: skip


def state(client, settings):
    """Return what Redis holds of what the topics tell."""
    found = {}
    for name in FOLDED:
        key = f"{{reviews.queue.{settings.topics.prefix}}}:{name}"
        kind = client.type(key)
        if kind == "hash":
            found[name] = {k: v for k, v in client.hgetall(key).items() if v != "0"}
        elif kind == "zset":
            found[name] = dict(client.zrange(key, 0, -1, withscores=True))
        elif kind == "list":
            found[name] = sorted(client.lrange(key, 0, -1))
    return found


async def test_corrections_are_restored_with_everything_that_follows_from_them(
    kafka, topic_prefix, redis_url, tmp_path
):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path, second_share=0.5)
    await create_topics(kafka, settings.topic_names)
    add_people(settings, "ann", "bob")
    await send_tasks(settings, [task(number) for number in range(COUNT)])
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await until_progress(ann, [str(COUNT), "0"])
        decided = await decide(ann, COUNT - 2)
        for review_id in decided[:4]:
            page = await ann.client.get("/decided", params={"item": review_id})
            fields = {**hidden(page.text), "category": "footwear", "note": "сапоги детские"}
            assert (await ann.client.post("/correct", data=fields)).status_code == 303
        back = {"csrf": hidden(page.text)["csrf"], "review_id": decided[3]}
        assert (await ann.client.post("/take-back", data=back)).status_code == 303
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        before = state(client, settings)
        client.flushall()
        async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
            after = state(client, settings)
            page = await ann.client.get("/decided", params={"item": decided[0]})
    assert after == before
    assert "сапоги детские" in page.text
    assert hidden(page.text)["revision"] == "3"


def groups(client, settings):
    """Return what waits as groups of near-identical reviews, and those that stand for several.

    A group is called after whoever was filed first, and the order among partitions is any: so both
    the name and who stands in front may differ.
    """
    prefix = f"{{reviews.queue.{settings.topics.prefix}}}:"
    waiting = client.hgetall(f"{prefix}meta")
    found = {
        frozenset({front, *client.zrange(f"{prefix}cluster:{cluster}", 0, -1)})
        for cluster, front in client.hgetall(f"{prefix}front").items()
    }
    assert set().union(*found) == set(waiting)
    return found


def without_groups(held):
    """Return the state without the names of groups, and without the worth of who stands behind."""
    for name in ("meta", "kept"):
        for review_id, value in held[name].items():
            slug, _, at, _, fingerprint, confidence, reason = json.loads(value)
            held[name][review_id] = (slug, at, fingerprint, confidence, reason)
    return held


async def test_rebuild_makes_the_same_groups_of_near_identical_reviews(
    kafka, topic_prefix, redis_url, tmp_path
):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path, second_share=0.5)
    await create_topics(kafka, settings.topic_names)
    add_people(settings, "ann")
    kettles = [task(20 + n, f"Отличный чайник, заказ {n} доставлен") for n in range(6)]
    boots = [task(30 + n, f"Сапоги промокли за день, магазин {n} молчит") for n in range(4)]
    await send_tasks(settings, [*kettles, *boots, task(1)])
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await until_progress(ann, ["11", "0"])
        for item, left_out in (("r20", {"r24", "r25"}), ("r30", {"r33"})):
            page = await ann.client.get("/similar", params={"item": item})
            chosen = [part.split('"')[0] for part in page.text.split('name="chosen" value="')[1:]]
            fields = {**hidden(page.text), "category": "footwear"}
            fields["chosen"] = [c for c in chosen if c.partition(" ")[2] not in left_out]
            done = await ann.client.post("/bulk", data=fields, follow_redirects=True)
            assert done.status_code == 200
        # The second one is taken back as a whole: its group is together again.
        taken_back = await ann.client.post("/take-back", data=hidden(done.text))
        assert taken_back.status_code == 303
        await until_progress(ann, ["7", "4"])
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        before = groups(client, settings), without_groups(state(client, settings))
        result = await rebuilt(settings, kafka, redis_url, second_share="0.5")
        assert result.returncode == 0, result.stderr
        after = groups(client, settings), without_groups(state(client, settings))
    assert before[0] == {
        frozenset({"r24", "r25"}), frozenset({"r30", "r31", "r32", "r33"}), frozenset({"r1"}),
    }  # fmt: skip
    assert after == before
