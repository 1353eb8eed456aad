"""Whatever happens to relabellers, each decision is published exactly once, and none is lost."""

import asyncio
import contextlib
import json
import signal
from collections import Counter

import pytest

from schemas import Label, TopicNames, decode
from tests.faults.controls import TRAP
from tests.faults.fleet import Member
from tests.support.pipeline import WAIT_SECONDS, create_topics, pipeline_settings, read_topics
from tests.support.queue import send_tasks, task
from tests.support.relabelling import OPEN, WORDS

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(420)]

# The broker's own least: a dead member's partitions are given away after this time.
SESSION_MS = 6000
KINDS = (*WORDS, OPEN)
TASKS = 1500


@pytest.fixture
def environment(kafka, topic_prefix):
    return {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "REVIEWS_TOPICS__PREFIX": topic_prefix,
        "REVIEWS_LABEL__GROUP": f"{topic_prefix}-relabeller",
        "REVIEWS_LABEL__BATCH_ROWS": "16",
        "REVIEWS_LABEL__HTTP_PORT": "0",
        "REVIEWS_LOG__FORMAT": "json",
        "REVIEWS_WORKER__SESSION_TIMEOUT_MS": str(SESSION_MS),
        "REVIEWS_WORKER__HEARTBEAT_INTERVAL_MS": "500",
    }


@pytest.fixture
async def settings(kafka, topic_prefix):
    settings = pipeline_settings(kafka, topic_prefix)
    await create_topics(kafka, settings.topic_names)
    return settings


@pytest.fixture
async def start(environment, tmp_path):
    members = []

    async def started(**trap):
        variables = {TRAP: json.dumps(trap)} if trap else {}
        log = tmp_path / f"relabeller-{len(members)}.log"
        member = Member(("-m", "tests.faults.relabeller_main"), {**environment, **variables}, log)
        await member.start()
        members.append(member)
        return member

    yield started
    for member in members:
        if member.alive:
            member.signal(signal.SIGCONT)
            with contextlib.suppress(TimeoutError):
                await member.kill()


async def send(settings, first, count):
    """Send tasks, of which each third is left to people; return the ids of the others."""
    numbers = range(first, first + count)
    await send_tasks(settings, [task(i, f"{KINDS[i % 3]} {i}") for i in numbers])
    return {f"r{i}" for i in numbers if KINDS[i % 3] != OPEN}


async def published(settings, ids):
    """Wait until so many are published, labels and reviews; return how often each of them is."""
    names: TopicNames = settings.topic_names
    servers = settings.kafka.bootstrap_servers
    records = await read_topics(servers, [names.labels, *names.categories], 2 * len(ids))
    labels = [decode(Label, r.value).review_id for r in records if r.topic == names.labels]
    reviews = [r.key.decode() for r in records if r.topic != names.labels]
    return Counter(labels), Counter(reviews)


async def assigned(member, times):
    """Wait until its group has given it partitions so often."""
    async with asyncio.timeout(WAIT_SECONDS):
        while member.log.read_text("utf-8").count('"event": "assigned"') < times:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.05)


def once(ids):
    return Counter(dict.fromkeys(ids, 1))


async def test_relabellers_that_are_killed_publish_each_decision_once(settings, start):
    """Each of four is killed in another moment of a transaction; a fifth does what is left."""
    ids = await send(settings, 0, TASKS)
    moments = ("fetched", "sent:PRODUCE", "before:END_TXN", "sent:END_TXN")
    doomed = [await start(phase=moment, after=3, deed="kill") for moment in moments]
    await asyncio.gather(*(member.gone() for member in doomed))
    assert {member.exit_code for member in doomed} == {-signal.SIGKILL}
    last = await start()
    assert await published(settings, ids) == (once(ids), once(ids))
    await last.stop()
    assert last.exit_code == 0


async def test_a_relabeller_that_slept_through_its_eviction_publishes_nothing_twice(
    settings, start
):
    ids = await send(settings, 0, 300)
    zombie = await start(phase="before:END_TXN", after=3, deed="stop")
    await zombie.frozen()
    other = await start()
    await published(settings, ids)
    zombie.signal(signal.SIGCONT)
    # Both are at work again, so that a late commit of the zombie would have had its time.
    await assigned(zombie, 2)
    ids |= await send(settings, 300, 300)
    assert await published(settings, ids) == (once(ids), once(ids))
    await asyncio.gather(zombie.stop(), other.stop())
    assert (zombie.exit_code, other.exit_code) == (0, 0)
