"""A text that no model can know waits for a person, with the reason, however sure the model is."""

import pytest

from schemas import BatchSummary, RelabelTask, Review, decode, encode
from stream.kafka.topic_creation import create_topics
from stream.model.strange_text import LETTERS_LOST, OTHER_SCRIPT
from tests.support.pipeline import (
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

# The tiny model knows the one word, and is sure by it.
CHINESE = "毛巾很软毛巾很软毛巾很软毛巾很软毛巾很软毛巾很软毛巾很软 сумка"
LOST = "????? ??? сумка ?????? ????"
GOOD = "сумка хорошая"


async def test_it_is_relabelled_with_the_reason_and_counted(
    kafka, redis_url, topic_prefix, tmp_path
):
    settings = pipeline_settings(kafka, topic_prefix, redis_url)
    await create_topics(settings)
    topics = settings.topic_names

    async def publish(number, text):
        await send(
            kafka, topics.incoming, [(b"k", encode(Review(review_id=str(number), text=text)))]
        )
        return await read_outputs(kafka, topics, number + 1)

    async with running_worker(settings, tiny_classifier(tmp_path / "model")) as worker:
        # One after another, so that the last one's answer is the cache's.
        for number, text in enumerate((GOOD, CHINESE, LOST, CHINESE)):
            records = await publish(number, text)
        batches = await read_topic(kafka, topics.batches, 4)
        metrics = worker.metrics.registry
        found = {
            reason: metrics.get_sample_value("reviews_strange_texts_total", {"reason": reason})
            for reason in (OTHER_SCRIPT, LETTERS_LOST)
        }
    tasks = [decode(RelabelTask, r.value) for r in records if r.topic == topics.relabel]
    assert {task.review.review_id: task.strange for task in tasks} == {
        "1": OTHER_SCRIPT,
        "2": LETTERS_LOST,
        "3": OTHER_SCRIPT,
    }
    assert all(max(task.probabilities.values()) > task.threshold for task in tasks)
    told = [decode(BatchSummary, record.value) for record in batches]
    assert (sum(s.strange for s in told), sum(s.relabelled for s in told)) == (3, 3)
    assert sum(s.cache_hits for s in told) == 1
    assert found == {OTHER_SCRIPT: 2, LETTERS_LOST: 1}
