"""The relabeller on a real broker: what the cascade decides is published once, the rest is not."""

import asyncio
import contextlib
from collections import Counter

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas import CategorizedReview, Category, Label, decode, encode
from stream.errors import TopicMissing
from tests.support.pipeline import (
    WAIT_SECONDS,
    create_topics,
    pipeline_settings,
    read_topic,
    read_topics,
    send,
)
from tests.support.queue import send_tasks, task
from tests.support.relabelling import ENSEMBLE_VERSION, word_decider
from training.errors import DataError
from training.labelling.run import Panel
from training.relabeller import Relabeller
from training.relabeller.deciding import Decider

pytestmark = pytest.mark.kafka

CLOTHING = Category("clothing")


@pytest.fixture
def decider():
    return word_decider()


@pytest.fixture
async def settings(kafka, topic_prefix):
    group = {"group": f"{topic_prefix}-relabeller", "batch_rows": 16, "http_port": 0}
    settings = pipeline_settings(kafka, topic_prefix, label=group)
    await create_topics(kafka, settings.topic_names)
    return settings


@contextlib.asynccontextmanager
async def running(settings, decider):
    relabeller, stop = Relabeller(settings, decider), asyncio.Event()
    working = asyncio.create_task(relabeller.run(stop))
    try:
        yield relabeller
    finally:
        stop.set()
        await asyncio.wait_for(working, WAIT_SECONDS)


async def until(relabeller, tasks):
    async with asyncio.timeout(WAIT_SECONDS):
        while relabeller.outcomes.total() < tasks:  # noqa: ASYNC110 - counted when committed
            await asyncio.sleep(0.02)


async def until_ready(relabeller):
    """A partition that held nothing may be taken over last."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not relabeller.ready:  # noqa: ASYNC110 - as a probe does
            await asyncio.sleep(0.02)


async def labels(settings, count):
    records = await read_topic(settings.kafka.bootstrap_servers, settings.topic_names.labels, count)
    return [decode(Label, record.value) for record in records]


async def test_a_decision_reaches_labels_and_the_category_topic(settings, decider):
    await send_tasks(settings, [task(1, "платье красивое"), task(2, "непонятно что")])
    async with running(settings, decider) as relabeller:
        await until(relabeller, 2)
    (label,) = await labels(settings, 1)
    topic = settings.topic_names.category(CLOTHING)
    (record,) = await read_topic(settings.kafka.bootstrap_servers, topic, 1)
    decided = decode(CategorizedReview, record.value)
    assert relabeller.outcomes == {"ensemble": 1, "people": 1}
    assert (label.review_id, label.category, label.decided_by) == ("r1", CLOTHING, "ensemble")
    assert (decided.review, decided.decided_by) == (task(1, "платье красивое").review, "ensemble")
    assert label.revision == decided.revision == 1
    assert label.ensemble_version == ENSEMBLE_VERSION


async def test_relabellers_one_after_another_decide_every_task_once(settings, decider):
    words = ["платье", "доставка", "непонятно"]
    await send_tasks(settings, [task(i, f"{words[i % 3]} {i}") for i in range(300)])
    async with running(settings, decider) as first:
        await until(first, 1)
    async with running(settings, decider) as second:
        await until(second, 300 - first.outcomes.total())
    names = settings.topic_names
    records = await read_topics(settings.kafka.bootstrap_servers, names.categories, 200)
    ids = Counter(record.key for record in records)
    assert len(ids) == ids.total() == 200
    assert {label.review_id.encode() for label in await labels(settings, 200)} == set(ids)


async def test_what_a_person_has_decided_is_not_decided_again(settings, decider):
    person = Label(
        review_id="r1", text="платье", category=Category("kids"), decided_by="person",
        labeller="ann", codebook_version="1", revision=2,
    )  # fmt: skip
    await send(
        settings.kafka.bootstrap_servers, settings.topic_names.labels, [(b"r1", encode(person))]
    )
    await send_tasks(settings, [task(1, "платье")])
    async with running(settings, decider) as relabeller:
        await until(relabeller, 1)
    assert [label.decided_by for label in await labels(settings, 1)] == ["person"]


async def test_a_label_that_cannot_be_read_may_be_a_persons_and_is_not_replaced(settings, decider):
    servers, topic = settings.kafka.bootstrap_servers, settings.topic_names.labels
    await send(servers, topic, [(b"r1", b'{"of": "a later release"}')])
    await send_tasks(settings, [task(1, "платье")])
    async with running(settings, decider) as relabeller:
        await until(relabeller, 1)
    assert [record.value for record in await read_topic(servers, topic, 1)] == [
        b'{"of": "a later release"}'
    ]
    assert not relabeller.outcomes["ensemble"]


@pytest.mark.parametrize("why", [{"reason": "canary"}, {"strange": "other-script"}, {"held": True}])
async def test_canaries_strange_texts_and_held_categories_are_left_to_people(
    settings, decider, why
):
    await send_tasks(settings, [task(1, "платье", **why)])
    async with running(settings, decider) as relabeller:
        await until(relabeller, 1)
    assert relabeller.outcomes == {"people": 1}


async def test_a_bad_task_goes_to_the_dead_letters(settings, decider):
    names = settings.topic_names
    await send(settings.kafka.bootstrap_servers, names.relabel, [(b"x", b"not json")])
    async with running(settings, decider) as relabeller:
        await until(relabeller, 1)
    (dead,) = await read_topic(settings.kafka.bootstrap_servers, names.dead_letter, 1)
    assert dead.value == b"not json"


async def asked(port, path):
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return answer.status, await answer.text()


async def test_it_tells_prometheus_what_it_decided_and_probes_that_it_works(settings, decider):
    await send_tasks(settings, [task(i, text) for i, text in enumerate(("платье", "мгла", "мгла"))])
    async with running(settings, decider) as relabeller:
        await until(relabeller, 3)
        await until_ready(relabeller)
        port = relabeller.health.port
        alive, ready = await asked(port, "/livez"), await asked(port, "/readyz?verbose")
        _, metrics = await asked(port, "/metrics")
    assert (alive[0], ready[0]) == (200, 200)
    assert "[+] ensemble loaded" in ready[1]
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
    }
    assert values["reviews_relabeller_tasks_total", "ensemble"] == 1
    assert values["reviews_relabeller_tasks_total", "people"] == 2
    assert values["reviews_relabeller_transactions_total", "committed"] >= 1
    assert values["reviews_relabeller_assigned_partitions",] == 4
    assert values["reviews_relabeller_decision_seconds_count",] >= 1
    fitted = ("160", "0.95", "2026-01-01T00:00:00+00:00", ENSEMBLE_VERSION)
    assert f'version="{ENSEMBLE_VERSION}"' in metrics
    assert any(set(fitted) <= set(name[1:]) for name in values)


async def test_a_relabeller_without_its_partitions_is_alive_but_not_ready(settings, decider):
    relabeller = Relabeller(settings, decider)
    async with relabeller.health:
        ready = await asked(relabeller.health.port, "/readyz")
        alive = await asked(relabeller.health.port, "/livez")
    assert (ready[0], alive[0]) == (503, 200)


async def test_absent_topics_are_named(kafka, topic_prefix, decider):
    first = rf"{topic_prefix}\.category\.accessories and 11 more"
    with pytest.raises(TopicMissing, match=first):
        await Relabeller(
            pipeline_settings(kafka, topic_prefix, label={"http_port": 0}), decider
        ).run(asyncio.Event())


def test_an_ensemble_whose_labellers_are_not_at_hand_is_refused(decider):
    with pytest.raises(DataError, match="words"):
        Decider(decider.ensemble, Panel(()))
