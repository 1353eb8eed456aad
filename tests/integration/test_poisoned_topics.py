"""What no program of ours writes to a topic ends nobody who reads it, and is told."""

import asyncio
import json

import pytest

from schemas import Category, encode
from tests.support.command_line import reviews
from tests.support.labels import label
from tests.support.pipeline import create_topics, pipeline_settings, send
from tests.support.queue import add_people, queue_settings, reviewer, running_queue, task

pytestmark = pytest.mark.kafka


async def test_the_queue_opens_behind_a_key_that_is_no_text_and_a_moment_that_cannot_be_counted(
    kafka, topic_prefix, redis_url, tmp_path
):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    await create_topics(kafka, settings.topic_names)
    add_people(settings, "ann")
    ancient = task(0).model_dump(mode="json") | {"queued_at": "0001-01-01T00:00:00"}
    records = [
        (b"\xff", None),
        (b"r0", json.dumps(ancient).encode()),
        (b"r1", encode(task(1))),
    ]
    await send(kafka, settings.topic_names.relabel, records)
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        card = await ann.until_card()
    assert card["review_id"] == "r1"


async def test_an_export_of_decisions_says_how_much_of_the_topic_is_none(kafka, topic_prefix):
    settings = pipeline_settings(kafka, topic_prefix)
    await create_topics(kafka, settings.topic_names)
    decided = label(Category("footwear"))
    records = [(decided.review_id.encode(), encode(decided)), (b"r7", b"{"), (b"r8", b"{}")]
    await send(kafka, settings.topic_names.labels, records)
    result = await asyncio.to_thread(
        reviews, "queue", "export", "--bootstrap-servers", kafka, "--prefix", topic_prefix
    )
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    assert "1 decisions" in result.stderr
    assert "2 unreadable messages left out" in result.stderr
