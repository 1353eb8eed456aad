"""Pages that start while intake is behind wait for it: what was decided is never asked again."""

import asyncio
import contextlib

import pytest

from schemas import Category, Label, encode
from stream.queue.filing import Filing
from tests.support.pipeline import WAIT_SECONDS, create_topics, send
from tests.support.queue import (
    add_people,
    queue_settings,
    reviewer,
    running_queue,
    send_tasks,
    task,
    until_ready,
)

pytestmark = pytest.mark.kafka
PAGES = ("/", "/?item=r1", "/next", "/similar?item=r1", "/search?words=сапоги", "/readyz")


class HeldIntake:
    """Lets labels wait before they are filed, as a slow Kafka or a long backlog does."""

    def __init__(self, monkeypatch):
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.waiting = asyncio.Event()
        monkeypatch.setattr(Filing, "consume", self._held(Filing.consume))

    def _held(self, consume):
        async def consume_later(filing, kind, *arguments):
            if kind == "label" and not self.go_on.is_set():
                self.waiting.set()
                await self.go_on.wait()
            await consume(filing, kind, *arguments)

        return consume_later

    async def until_waiting(self):
        async with asyncio.timeout(WAIT_SECONDS):
            await self.waiting.wait()


@pytest.fixture
async def settings(kafka, topic_prefix, redis_url, tmp_path):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    await create_topics(kafka, settings.topic_names)
    add_people(settings, "ann")
    await send_tasks(settings, [task(1), task(2)])
    return settings


@pytest.fixture
def intake(monkeypatch):
    held = HeldIntake(monkeypatch)
    yield held
    held.go_on.set()


async def decide_elsewhere(settings, number):
    """Decide a review as the auto-labeller does, past the queue."""
    label = Label(
        review_id=f"r{number}",
        text=task(number).review.text,
        category=Category("footwear"),
        decided_by="ensemble",
        labeller="ensemble",
        codebook_version="1",
    )
    topic = settings.topic_names.labels
    await send(settings.kafka.bootstrap_servers, topic, [(label.review_id.encode(), encode(label))])


async def statuses(person):
    return {page: (await person.client.get(page)).status_code for page in PAGES}


async def all_that_is_asked(person):
    """Skip through the queue; return what was on the screen."""
    asked = []
    while card := await person.card():
        asked.append(card["review_id"])
        await person.post("/skip", card)
    return asked


async def test_after_a_restart_nothing_is_shown_before_what_was_decided_meanwhile_is_filed(
    settings, intake
):
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        before = (await ann.until_card())["review_id"]
    await decide_elsewhere(settings, int(before[1:]))
    intake.go_on.clear()
    async with running_queue(settings, ready=False) as queue, reviewer(queue, "ann") as ann:
        await intake.until_waiting()
        behind = await statuses(ann)
        intake.go_on.set()
        await until_ready(queue.url)
        after = await all_that_is_asked(ann)
    assert behind == dict.fromkeys(PAGES, 503)
    assert after == [{"r1": "r2", "r2": "r1"}[before]]


async def test_a_second_server_waits_until_the_leading_one_has_caught_up(settings, intake):
    async with contextlib.AsyncExitStack() as servers:
        await servers.enter_async_context(running_queue(settings))
        intake.go_on.clear()
        await decide_elsewhere(settings, 1)
        await intake.until_waiting()
        later = settings.model_copy(
            update={"queue": settings.queue.model_copy(update={"name": "later"})}
        )
        second = await servers.enter_async_context(running_queue(later, ready=False))
        ann = await servers.enter_async_context(reviewer(second, "ann"))
        behind = await statuses(ann)
        intake.go_on.set()
        await until_ready(second.url)
        after = await all_that_is_asked(ann)
    assert behind == dict.fromkeys(PAGES, 503)
    assert after == ["r2"]


async def test_a_restart_after_everything_was_filed_keeps_what_people_hold(settings):
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await ann.decide(await ann.until_card(), Category("kids"))
        held = (await ann.until_card())["review_id"]
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        again = (await ann.card())["review_id"]
        undone = await ann.post("/undo", await ann.card())
    assert again == held
    assert undone.status_code == 200
