"""Ids that no terminal, header or form should see as they are, in whatever a connector wraps them.

From the topic through a worker, a person at the queue and back onto the topic: one review, one id.
"""

import json
import re

import pytest

from schemas import BatchSummary, Label, RelabelTask, decode
from tests.support.pipeline import (
    by_topic,
    create_topics,
    read_outputs,
    read_topic,
    running_worker,
    send,
)
from tests.support.queue import add_people, queue_settings, reviewer, running_queue
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

IDS = ["a\r\nX-Injected: 1", "\x1b[2J\x1b]0;owned\x07", "\x00nul", "\u202eabc", "-1", "<script>"]
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
UNSURE = "ничего не понятно {}"
DELETES = [
    (b"never seen", None),
    (b"\x1b[2J", b"null"),
    (None, json.dumps({"payload": {"source": {}, "op": "t", "ts_ms": 1}}).encode()),
    (b"k", json.dumps({"before": {"id": "x"}, "after": None, "op": "d", "source": {}}).encode()),
]


def connect(row):
    return {"schema": None, "payload": row}


def debezium(row):
    return {"payload": {"before": None, "after": row, "op": "c", "source": {}}}


def cloud_event(row):
    return {"specversion": "1.0", "id": "e", "subject": row["id"], "data": {"text": row["text"]}}


WRAPS = (connect, debezium, cloud_event)


def wrapped(number, review_id):
    row = {"id": review_id, "text": UNSURE.format("абвгдежзик"[number] * 9)}
    return b"k", json.dumps(WRAPS[number % len(WRAPS)](row)).encode()


async def test_a_review_keeps_its_id_from_a_connector_to_a_persons_label(
    kafka, topic_prefix, redis_url, tmp_path
):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    topics = settings.topic_names
    await create_topics(kafka, topics)
    add_people(settings, "ann")
    messages = [*(wrapped(n, review_id) for n, review_id in enumerate(IDS)), *DELETES]
    count = await send(kafka, topics.incoming, messages)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        records = await read_outputs(kafka, topics, len(IDS))
        told = []
        while sum(summary.reviews for summary in told) < count:
            batches = await read_topic(kafka, topics.batches, len(told) + 1)
            told = [decode(BatchSummary, record.value) for record in batches]
    found = by_topic(records)
    tasks = [decode(RelabelTask, record.value) for record in found[topics.relabel]]
    assert sorted(task.review.review_id for task in tasks) == sorted(IDS)
    for record in records:
        for name, value in record.headers:
            assert not CONTROL.search(value.decode()), name
    assert sum(summary.deleted for summary in told) == len(DELETES)
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        for _ in IDS:
            card = await ann.until_card()
            page = (await ann.client.get("/")).text
            assert "<script>" not in page
            assert (await ann.decide(card, None)).status_code == 200
        labels = await read_topic(kafka, topics.labels, len(IDS))
    said = [decode(Label, record.value).review_id for record in labels]
    assert sorted(said) == sorted(IDS)
    assert sorted(record.key.decode() for record in labels) == sorted(IDS)
