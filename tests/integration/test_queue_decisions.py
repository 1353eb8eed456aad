"""The queue on a real Kafka and a real Redis: what people decide is on the topics, and only that."""

import asyncio

import httpx
import pytest

from schemas import (
    CategorizedReview,
    Category,
    Judgement,
    Label,
    all_categories,
    decode,
    encode,
)
from tests.support.pipeline import create_topics, read_topic, send
from tests.support.queue import (
    PASSWORD,
    add_people,
    hidden,
    queue_settings,
    reviewer,
    running_queue,
    send_tasks,
    task,
)
from tests.support.taxonomies import both_taxonomies

pytestmark = pytest.mark.kafka


@pytest.fixture
async def settings(kafka, topic_prefix, redis_url, tmp_path, taxonomy):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    await create_topics(kafka, settings.topic_names)
    add_people(settings, "ann", "bob")
    return settings


async def events(settings, kind, topic, count):
    records = await read_topic(settings.kafka.bootstrap_servers, topic, count)
    return [decode(kind, record.value) for record in records]


@both_taxonomies
async def test_a_decision_reaches_labels_judgements_and_the_category_topic(settings):
    chosen = all_categories()[-2]
    await send_tasks(settings, [task(2)])
    names = settings.topic_names
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        card = await ann.until_card()
        response = await ann.decide(card, chosen)
    assert response.status_code == 200
    (label,) = await events(settings, Label, names.labels, 1)
    (judgement,) = await events(settings, Judgement, names.judgements, 1)
    topic = names.category(chosen)
    (decided,) = await events(settings, CategorizedReview, topic, 1)
    assert (label.category, label.decided_by, label.labeller) == (chosen, "person", "ann")
    assert label.revision == decided.revision == judgement.revision == 2
    assert decided.decided_by == "person"
    assert decided.review == task(2).review


@both_taxonomies
async def test_undo_withdraws_with_a_higher_revision_and_the_review_waits_again(settings):
    await send_tasks(settings, [task(2)])
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        card = await ann.until_card()
        await ann.decide(card, all_categories()[0])
        undone = await ann.post("/undo", card)
        again = hidden(undone.text, form="decision")
        await ann.decide(again, all_categories()[1])
        nothing = await ann.card()
    labels = await events(settings, Label, settings.topic_names.labels, 3)
    assert again["review_id"] == "r2"
    assert [(x.revision, x.withdrawn, x.category) for x in labels] == [
        (2, False, all_categories()[0]),
        (3, True, None),
        (4, False, all_categories()[1]),
    ]
    assert nothing == {}


async def test_cannot_tell_is_a_label_without_category_and_no_categorized_review(settings):
    await send_tasks(settings, [task(9)])
    names = settings.topic_names
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await ann.decide(await ann.until_card(), None)
        gone = await ann.card()
    (label,) = await events(settings, Label, names.labels, 1)
    assert label.category is None
    assert not label.withdrawn
    assert gone == {}


async def test_two_people_never_have_the_same_review_and_a_skipped_one_goes_to_the_other(settings):
    await send_tasks(settings, [task(1), task(2)])
    async with (
        running_queue(settings) as queue,
        reviewer(queue, "ann") as ann,
        reviewer(queue, "bob") as bob,
    ):
        first = await ann.until_card()
        second = await bob.until_card()
        stolen = await bob.decide(first | {"csrf": second["csrf"]}, Category("kids"))
        await ann.post("/skip", first)
        await bob.decide(second, Category("footwear"))
        passed_on = await bob.until_card()
        nothing_for_ann = await ann.card()
    assert first["review_id"] != second["review_id"]
    assert (stolen.status_code, stolen.json()["code"]) == (409, "taken")
    assert passed_on["review_id"] == first["review_id"]
    assert nothing_for_ann == {}


async def test_what_the_auto_labeller_decided_meanwhile_is_not_asked(settings):
    await send_tasks(settings, [task(1)])
    label = Label(
        review_id="r1",
        text=task(1).review.text,
        category=Category("footwear"),
        decided_by="ensemble",
        labeller="ensemble",
        codebook_version="1",
    )
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        card = await ann.until_card()
        names = settings.topic_names
        await send(settings.kafka.bootstrap_servers, names.labels, [(b"r1", encode(label))])
        async with asyncio.timeout(60):
            while await ann.card():  # noqa: ASYNC110 - HTTP has to be asked
                await asyncio.sleep(0.05)
        late = await ann.decide(card, Category("kids"))
    assert (late.status_code, late.json()["code"]) == (409, "decided")


async def test_saying_the_same_again_after_a_lost_reply_changes_nothing(settings):
    await send_tasks(settings, [task(1)])
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        card = await ann.until_card()
        await ann.decide(card, Category("footwear"))
        again = await ann.decide(card, Category("footwear"))
    assert again.status_code == 200
    assert len(await events(settings, Label, settings.topic_names.labels, 1)) == 1


async def test_near_identical_reviews_are_decided_and_undone_together(settings):
    texts = [f"Отличный чайник, спасибо продавцу, заказ {n} доставлен" for n in range(3)]
    await send_tasks(settings, [task(n, text, Category("kids")) for n, text in enumerate(texts)])
    names = settings.topic_names
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        card = await ann.until_card()
        page = await ann.client.get("/similar", params={"item": card["review_id"]})
        chosen = [f"{card['print']} {card['review_id']}"]
        chosen = [v.split('"')[0] for v in page.text.split('name="chosen" value="')[1:]]
        fields = {"csrf": card["csrf"], "category": "household-appliances", "chosen": chosen}
        done = await ann.client.post("/bulk", data=fields)
        nothing = await ann.card()
        await ann.post("/undo", card)
        labels = await events(settings, Label, names.labels, 6)
        back = await ann.card()
    assert done.status_code == 303
    assert len(chosen) == 3
    assert nothing == {}
    assert sorted(x.review_id for x in labels if x.withdrawn) == ["r0", "r1", "r2"]
    assert {x.category for x in labels if not x.withdrawn} == {Category("household-appliances")}
    assert back


async def test_the_first_account_is_made_by_a_link_that_works_once(
    kafka, topic_prefix, redis_url, tmp_path
):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    await create_topics(kafka, settings.topic_names)
    async with running_queue(settings) as queue, httpx.AsyncClient(base_url=queue.url) as client:
        link = queue.serving.welcome
        page = await client.get(link)
        fields = {**hidden(page.text), "name": "lead", "password": PASSWORD}
        first = await client.post("/welcome", data=fields)
        desk = await client.get("/")
        again = await client.get(link)
        second = await client.post("/welcome", data={**fields, "name": "thief"})
    assert first.status_code == 303
    assert desk.status_code == 200
    assert again.status_code == 401
    assert second.status_code in {401, 403}
