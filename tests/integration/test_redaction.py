"""With `privacy.redact_stored`, what a worker stores for later holds no personal data."""

import json

import pytest
import redis

from schemas import RelabelTask, decode
from stream.model.classifier import Classifier
from stream.text import fingerprint, normalize
from stream.worker.cache import KEY_PREFIX
from tests.support.pipeline import (
    create_topics,
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
    tiny_folder,
)
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.kafka
UNSURE = "тут непонятно, звоните +7 912 345-67-89 или anna@example.com"
MASKED = "тут непонятно, звоните [phone] или [email]"
SURE = "сапоги жмут, мой адрес ул. Ленина, д. 5, кв. 12"


def event(review_id, text, **fields):
    return review_id.encode(), json.dumps({"review_id": review_id, "text": text, **fields}).encode()


@pytest.fixture
async def stored(kafka, topic_prefix, redis_url, tmp_path):
    """Run three reviews through a worker that redacts; return records by topic."""
    write_tiny_model(tiny_folder(tmp_path))
    settings = pipeline_settings(kafka, topic_prefix, redis_url, privacy={"redact_stored": True})
    names = settings.topic_names
    await create_topics(kafka, names)
    events = [
        event("unsure", UNSURE, metadata={"buyer": "anna@example.com"}),
        event("sure", SURE),
        event("dead", "", contact="anna@example.com"),
    ]
    await send(kafka, names.incoming, events)
    async with running_worker(settings, Classifier.load(tiny_folder(tmp_path))):
        records = await read_outputs(kafka, names, 3)
        await read_topic(kafka, names.batches, 1)
    return names, {record.key.decode(): record for record in records}


async def test_what_waits_for_a_label_is_redacted(stored):
    names, records = stored
    assert records["unsure"].topic == names.relabel
    review = decode(RelabelTask, records["unsure"].value).review
    assert (review.text, review.metadata) == (MASKED, {"buyer": "[email]"})


async def test_a_dead_letter_is_redacted_and_keeps_its_id(stored):
    names, records = stored
    assert records["dead"].topic == names.dead_letter
    assert json.loads(records["dead"].value) == {
        "review_id": "dead",
        "text": "",
        "contact": "[email]",
    }


async def test_a_category_gets_what_was_sent(stored):
    names, records = stored
    assert records["sure"].topic in names.categories
    assert json.loads(records["sure"].value)["review"]["text"] == SURE


async def test_the_cache_knows_only_the_redacted_text(stored, redis_url):
    with redis.Redis.from_url(redis_url) as client:
        prints = {key.decode().rpartition(":")[2] for key in client.scan_iter(f"{KEY_PREFIX}*")}
    assert fingerprint(normalize(MASKED)) in prints
    assert fingerprint(normalize(UNSURE)) not in prints
