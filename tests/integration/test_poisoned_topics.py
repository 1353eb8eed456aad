"""What no program of ours writes to the relabel topic ends nobody who reads it."""

import json

import pytest

from schemas import encode
from tests.support.pipeline import create_topics, send
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
