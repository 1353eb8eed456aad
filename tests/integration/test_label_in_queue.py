"""`reviews label validate --queue`: people decide a drawn sample in the browser, and it calibrates."""

import asyncio
import json
import re

import pytest

from schemas import Category
from tests.support.command_line import assert_one_clear_line, reviews
from tests.support.queue import TEXTS, add_people, queue_settings, reviewer, running_queue
from training.data.files import read_validated

pytestmark = pytest.mark.kafka
SAMPLE = 5
# What stands beside a category: the share that was given for it.
SHARE = re.compile(r">(\d+) %</span>")


@pytest.fixture
def labelled(tmp_path):
    """What a labelling run wrote."""
    guessed = {"category": None, "guess": "kids", "confidence": 0.4, "decided_by": "people"}
    rows = [{"id": f"r{n}", "text": text, **guessed} for n, text in enumerate(TEXTS[:SAMPLE])]
    path = tmp_path / "first.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


async def send(path, kafka, prefix, *options):
    return await asyncio.to_thread(
        reviews,
        *("label", "validate", str(path), "--queue", prefix, *options),
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=kafka,
    )


async def test_a_sample_is_decided_in_the_browser_and_comes_back_as_a_validated_file(
    kafka, topic_prefix, redis_url, tmp_path, labelled
):
    sent = await send(labelled, kafka, topic_prefix)
    assert sent.returncode == 0, sent.stderr
    assert f"{SAMPLE} reviews wait in the queue of the prefix {topic_prefix}" in sent.stderr
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    add_people(settings, "ann")
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        page = await ann.client.get("/")
        for choice in (Category("footwear"), Category("kids"), None):
            card = await ann.until_card()
            assert (await ann.decide(card, choice)).status_code == 200
        again = await send(labelled, kafka, topic_prefix)
        assert again.returncode == 0, again.stderr
        figures = await ann.client.get("/api/v1/figures")
        exported = await asyncio.to_thread(
            reviews,
            *("queue", "export", "--format", "csv"),
            REVIEWS_KAFKA__BOOTSTRAP_SERVERS=kafka,
            REVIEWS_TOPICS__PREFIX=topic_prefix,
        )
    assert SHARE.findall(page.text) == ["40"]
    assert figures.json()["waiting"] == SAMPLE - 3
    checked = tmp_path / "checked.csv"
    checked.write_text(exported.stdout, encoding="utf-8")
    known = read_validated(checked)
    assert sorted(row.category.slug for row in known) == ["footwear", "kids"]
    assert {row.item.text for row in known} <= set(TEXTS)


async def test_blind_a_sample_comes_without_suggestions(
    kafka, topic_prefix, redis_url, tmp_path, labelled
):
    sent = await send(labelled, kafka, topic_prefix, "--blind", "--count", "2")
    assert sent.returncode == 0, sent.stderr
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    add_people(settings, "ann")
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        shown = []
        for _ in range(2):
            card = await ann.until_card()
            shown.append((await ann.client.get("/")).text)
            assert (await ann.decide(card, Category("kids"))).status_code == 200
    assert [SHARE.findall(text) for text in shown] == [[], []]


def test_a_sample_does_not_go_into_the_queue_of_the_stream(kafka, labelled):
    refused = reviews(
        *("label", "validate", str(labelled), "--queue", "reviews"),
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=kafka,
    )
    assert_one_clear_line(refused, 2, "prefix of its own")


async def test_what_the_contract_does_not_take_is_named_and_left_out(kafka, topic_prefix, tmp_path):
    path = tmp_path / "raw.csv"
    path.write_text(f"id,text\nshort,Сапоги жмут\nlong,{'слово ' * 4000}\n", encoding="utf-8")
    sent = await send(path, kafka, topic_prefix)
    assert sent.returncode == 1, sent.stderr
    assert "1 reviews wait" in sent.stderr
    assert "long: its id or text is too long" in " ".join(sent.stderr.split())
