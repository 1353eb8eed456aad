"""A machine's clock may be wrong: reviews are decided all the same."""

import time

import pytest

from schemas import Category, Review, encode
from stream.kafka.topic_creation import create_topics
from tests.support.pipeline import (
    by_topic,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

HOUR = 3600.0
SURE = encode(Review(review_id="sure", text="платье хорошее"))
UNSURE = encode(Review(review_id="unsure", text="непонятно"))


@pytest.mark.parametrize("wrong", [2 * HOUR, -48 * HOUR])
async def test_a_worker_whose_clock_is_wrong_decides_as_others_do(
    kafka, topic_prefix, tmp_path, monkeypatch, wrong
):
    settings = pipeline_settings(kafka, topic_prefix)
    topics = settings.topic_names
    await create_topics(settings)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + wrong)

    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        await send(kafka, topics.incoming, [(b"k", SURE), (b"k", UNSURE), (b"k", b"no JSON")])
        records = await read_outputs(kafka, topics, 3)

    assert by_topic(records).keys() == {
        topics.category(Category("clothing")),
        topics.relabel,
        topics.dead_letter,
    }
