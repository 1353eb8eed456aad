"""Waiting and decided: the monitor, the queue's figures and whoever reads the topics say the same."""

import asyncio

import httpx
import pytest

from schemas import Category, Label, RelabelTask, decode, encode, highest
from stream.monitor.service import Monitor
from stream.queue.accounts import Accounts
from stream.text import fingerprint, normalize
from tests.support.pipeline import WAIT_SECONDS, create_topics, read_topic, send
from tests.support.queue import add_people, queue_settings, running_queue, send_tasks, task

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


def by_the_topics(tasks, labels):
    """Count from what lies on the topics alone."""
    holds = {i: x for i, x in highest(labels).items() if not x.withdrawn}
    prints = {x.review.review_id: fingerprint(normalize(x.review.text)) for x in tasks}
    answered = {i: fingerprint(normalize(x.text)) for i, x in holds.items()}
    decided = [x.decided_by for x in holds.values()]
    waiting = [i for i, text in prints.items() if answered.get(i) != text]
    return {"waiting": len(waiting), "decided": {by: decided.count(by) for by in set(decided)}}


async def decide(client, review_id, category):
    body = {"decisions": [{"review_id": review_id, "category": category}]}
    answer = await client.post("/api/v1/decisions", json=body)
    assert answer.json()["refused"] == {}, answer.text


async def until_equal(ask, wanted):
    found = None
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while (found := await ask()) != wanted:  # noqa: ASYNC110 - HTTP has to be asked
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{found} instead of {wanted}") from None


async def test_monitor_queue_and_topics_agree(kafka, topic_prefix, redis_url, tmp_path):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    settings = settings.model_copy(
        update={"monitor": settings.monitor.model_copy(update={"port": 0})}
    )
    names = settings.topic_names
    await create_topics(kafka, names)
    add_people(settings, "ann", lead=True)
    token = Accounts(settings.queue.accounts).issue_token("ann")
    sent = [task(n) for n in range(8)]
    await send_tasks(settings, sent)
    machine = Label(
        review_id="r7", text=sent[7].review.text, category=Category("kids"), decided_by="ensemble",
        labeller="ensemble", codebook_version="1", model_version="m1",
    )  # fmt: skip
    stop, monitor = asyncio.Event(), Monitor(settings)
    watching = asyncio.create_task(monitor.run(stop))
    try:
        async with (
            running_queue(settings) as queue,
            httpx.AsyncClient(
                base_url=queue.url,
                headers={"Authorization": f"Bearer {token}"},
                timeout=WAIT_SECONDS,
            ) as client,
        ):

            async def shown():
                found = (await client.get("/api/v1/figures")).json()
                return {"waiting": found["waiting"], "decided": found["decided"]}

            async def watched():
                return monitor.engine.backlog, monitor.engine.decisions.settled

            await until_equal(shown, {"waiting": 8, "decided": {}})
            for number in range(4):
                await decide(client, f"r{number}", "kids")
            await client.post("/api/v1/undo")
            correction = {"review_id": "r0", "category": "footwear"}
            assert (await client.post("/api/v1/corrections", json=correction)).status_code == 200
            again = [task(0), task(1, "шопер передумал: чайник течёт"), task(5)]
            await send_tasks(settings, again)
            await send(kafka, names.labels, [(b"r7", encode(machine))])
            labels = [
                decode(Label, r.value) for r in await read_topic(kafka, names.labels, 4 + 1 + 1 + 1)
            ]
            tasks = [
                decode(RelabelTask, r.value) for r in await read_topic(kafka, names.relabel, 11)
            ]
            truth = by_the_topics(tasks, labels)
            assert truth == {"waiting": 5, "decided": {"person": 3, "ensemble": 1}}
            await until_equal(shown, truth)
            await until_equal(watched, (5, 4))
            page = await client.get("/figures")
            assert 'id="decided">3<' in page.text
            assert 'id="waiting">5<' in page.text
    finally:
        stop.set()
        await asyncio.wait_for(watching, WAIT_SECONDS)
