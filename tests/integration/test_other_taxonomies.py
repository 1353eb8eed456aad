"""A stranger's categories go through worker and consumers as ours do, in either layout of topics."""

import json

import pytest
from aiokafka import AIOKafkaProducer

from schemas import CategorizedReview, Category, Review, TopicNames, decode, encode, using
from schemas.topics import CATEGORY_HEADER
from stream.clients import CategoryConsumer
from stream.errors import ModelError
from stream.kafka import topic_creation
from stream.kafka.topics import await_leaders
from stream.model.folder import verify
from stream.settings import BUNDLED_MODEL
from tests.support.pipeline import (
    by_topic,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
)
from tests.support.taxonomies import bank
from tests.support.tiny_model import keywords, tiny_classifier

pytestmark = pytest.mark.kafka


def review(review_id, text):
    return review_id.encode(), json.dumps({"review_id": review_id, "text": text}).encode()


@pytest.fixture(params=[9, 77])
def taxonomy(request, tmp_path):
    with using(bank(tmp_path / "taxonomy", request.param)) as active:
        yield active


@pytest.fixture(params=["categories", "single"])
async def settings(request, kafka, topic_prefix, taxonomy):
    section = {"layout": request.param, "partitions": 2}
    found = pipeline_settings(kafka, topic_prefix, topics=section)
    made = await topic_creation.create_topics(found)
    await await_leaders(found.kafka, [topic.name for topic in made])
    return found


async def test_each_review_is_found_under_its_category(kafka, settings, taxonomy, tmp_path):
    names = settings.topic_names
    last = len(taxonomy.slugs) - 1
    model = tiny_classifier(tmp_path / "model")
    word = {i: keywords()[i] for i in (0, 5, last)}
    texts = [*(review(f"r{i}", f"{w} please") for i, w in word.items()), review("x", "unheard")]
    await send(kafka, names.incoming, texts)
    async with running_worker(settings, model):
        found = by_topic(await read_outputs(kafka, names, len(texts)))
    assert len(found[names.relabel]) == 1
    decided = [r for topic in names.categories for r in found.get(topic, ())]
    told = {
        event.review.review_id: event.category
        for event in (decode(CategorizedReview, record.value) for record in decided)
    }
    assert told == {f"r{i}": f"intent_{i}" for i in word}
    async with CategoryConsumer(["Intent 5"], settings=settings, follow=False) as consumer:
        assert [event.review.review_id async for event in consumer] == ["r5"]


@pytest.mark.parametrize("taxonomy", [9], indirect=True)
async def test_a_message_that_is_sent_as_another_category_reaches_nobody(kafka, settings):
    """A foreign producer's header, or topic, says one category, and the review itself another."""
    names, asked = settings.topic_names, Category("intent_5")
    events = {
        category: CategorizedReview(
            review=Review(review_id=f"r{category.id}", text="please"),
            category=category,
            confidence=1.0,
            decided_by="model",
        )
        for category in (Category("intent_0"), asked)
    }
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for event in events.values():
            headers = [(CATEGORY_HEADER, asked.encode()), (CATEGORY_HEADER, b"intent_0")]
            await producer.send_and_wait(
                names.category(asked), encode(event), key=b"k", headers=headers
            )
    for _ in range(2):  # the second time the group stands behind both
        consumer = CategoryConsumer([asked], settings=settings, group="g", follow=False)
        async with consumer as found:
            read = [event.review.review_id async for event in found]
        assert (read, consumer.unreadable) in [(["r5"], 1), ([], 0)]
    assert read == []


@pytest.mark.parametrize("taxonomy", [150], indirect=True)
async def test_one_topic_for_all_is_one_topic_and_names_the_category_in_a_header(taxonomy):
    names = TopicNames("shop", layout="single")
    assert names.categories == ("shop.categorized",)
    assert names.category_headers(Category("intent_149")) == [(CATEGORY_HEADER, b"intent_149")]
    assert sum("category" in policy.name for policy in names.policies()) == 0


def test_the_bundled_model_does_not_serve_another_taxonomy(taxonomy):
    with pytest.raises(ModelError, match="not those of the taxonomy 'bank'"):
        verify(BUNDLED_MODEL)
