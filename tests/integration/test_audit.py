"""A share of what is published is decided by people as well, without delay and without being seen."""

import json

import pytest

from schemas import CategorizedReview, Category, RelabelTask, decode
from tests.support.command_line import reviews
from tests.support.pipeline import (
    by_topic,
    create_topics,
    pipeline_settings,
    read_outputs,
    read_topics,
    running_worker,
    send,
    source_of,
)
from tests.support.queue import add_people, queue_settings, reviewer, running_queue
from tests.support.tiny_model import tiny_classifier, write_tiny_model

pytestmark = pytest.mark.kafka
COUNT = 60


def review(review_id, text):
    return review_id.encode(), json.dumps({"review_id": review_id, "text": text}).encode()


async def published(kafka, topics, folder, share, count=COUNT):
    settings = pipeline_settings(kafka, topics.prefix, audit={"share": share})
    await send(kafka, topics.incoming, [review(f"r{i}", f"платье {i}") for i in range(count)])
    async with running_worker(settings, tiny_classifier(folder / "model")):
        records = await read_outputs(kafka, topics, count)
    return by_topic(records)


async def test_every_review_is_published_and_a_share_is_asked_about(kafka, topics, tmp_path):
    found = await published(kafka, topics, tmp_path, 0.3)
    outcomes = found[topics.category(Category("clothing"))]
    tasks = [decode(RelabelTask, record.value) for record in found[topics.relabel]]
    assert len({source_of(record, topics) for record in outcomes}) == len(outcomes) == COUNT
    assert (
        0 < len(tasks) < COUNT
    )  # another sample in each process; all or none is out of the question
    assert {task.reason for task in tasks} == {"audit"}


async def test_nothing_is_asked_about_unless_a_share_is_set(kafka, topics, tmp_path):
    assert topics.relabel not in await published(kafka, topics, tmp_path, 0.0)


async def test_another_answer_is_a_correction_and_shows_in_the_quality(
    kafka, topic_prefix, redis_url, tmp_path
):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    topics = settings.topic_names
    await create_topics(kafka, topics)
    add_people(settings, "ann")
    await published(kafka, topics, tmp_path, 1.0, count=3)
    answers = [Category("clothing"), Category("clothing"), Category("kids")]
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        for answer in answers:
            card = await ann.until_card()
            page = (await ann.client.get("/")).text
            assert "data-top" not in page, "the answer was shown"
            assert (await ann.decide(card, answer)).status_code == 200
    (correction,) = [
        decode(CategorizedReview, record.value)
        for record in await read_topics(kafka, [topics.category(Category("kids"))], 1)
    ]
    assert (correction.revision > 0, correction.decided_by) == (True, "person")
    write_tiny_model(tmp_path / "model")
    done = reviews(
        "quality",
        "--json",
        "--promised",
        "0.95",
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=kafka,
        REVIEWS_TOPICS__PREFIX=topic_prefix,
        REVIEWS_MODEL__FOLDER=str(tmp_path / "model"),
    )
    told = json.loads(done.stdout)["categories"]
    assert [(row["category"], row["decided"], row["right"]) for row in told] == [
        ("clothing", 3, 2),
        (None, 3, 2),
    ]
    assert done.returncode == 0, "two of three may be chance"
