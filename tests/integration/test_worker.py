"""The worker on a real broker and a real Redis."""

import asyncio
import json

import aiohttp
import pytest

from schemas import BatchSummary, CategorizedReview, RelabelTask, all_categories, decode
from stream.errors import BrokerError, PortTaken, TopicMissing
from tests.support.pipeline import (
    WAIT_SECONDS,
    by_topic,
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
    source_of,
)
from tests.support.taxonomies import both_taxonomies
from tests.support.tiny_model import keywords, tiny_classifier

pytestmark = pytest.mark.kafka


def review(review_id, text):
    return review_id.encode(), json.dumps({"review_id": review_id, "text": text}).encode()


@pytest.fixture
def classifier(tmp_path, taxonomy):
    return tiny_classifier(tmp_path / "model")


async def test_every_review_ends_in_exactly_one_topic(kafka, topics, redis_url, classifier):
    texts = ["красивое платье", "чайник сломан", "непонятно что", "доставка долгая"]
    sent = await send(
        kafka, topics.incoming, [review(f"r{i}", f"{texts[i % 4]} {i}") for i in range(2000)]
    )
    settings = pipeline_settings(kafka, topics.prefix, redis_url)
    async with running_worker(settings, classifier):
        records = await read_outputs(kafka, topics, sent)
    sources = [source_of(record, topics) for record in records]
    assert len(sources) == len(set(sources)) == sent


@both_taxonomies
async def test_sure_reviews_go_to_their_category_and_unsure_ones_to_relabel(
    kafka, topics, classifier
):
    last = len(all_categories()) - 1
    said = [review("a", keywords()[2]), review("b", keywords()[last]), review("c", "hm хм")]
    await send(kafka, topics.incoming, said)
    async with running_worker(pipeline_settings(kafka, topics.prefix), classifier):
        found = by_topic(await read_outputs(kafka, topics, 3))
    (third,) = found[topics.category(all_categories()[2])]
    (other,) = found[topics.category(all_categories()[last])]
    (unsure,) = found[topics.relabel]
    assert decode(CategorizedReview, third.value).review.review_id == "a"
    assert decode(CategorizedReview, other.value).review.review_id == "b"
    assert decode(RelabelTask, unsure.value).review.review_id == "c"


async def test_outputs_of_one_partition_keep_their_order(kafka, topics, classifier):
    await send(kafka, topics.incoming, [review("same", f"платье {i}") for i in range(500)])
    async with running_worker(pipeline_settings(kafka, topics.prefix), classifier):
        records = await read_outputs(kafka, topics, 500)
    offsets = [source_of(record, topics)[1] for record in records]
    assert offsets == sorted(offsets)


async def test_a_second_worker_takes_over_where_the_first_stopped(kafka, topics, classifier):
    settings = pipeline_settings(kafka, topics.prefix)
    await send(kafka, topics.incoming, [review(f"a{i}", "платье") for i in range(300)])
    async with running_worker(settings, classifier):
        await read_outputs(kafka, topics, 300)
    await send(kafka, topics.incoming, [review(f"b{i}", "платье") for i in range(300)])
    async with running_worker(settings, classifier):
        records = await read_outputs(kafka, topics, 600)
    assert len({source_of(record, topics) for record in records}) == len(records) == 600


async def test_stopping_commits_what_is_on_its_way(kafka, topics, classifier):
    settings = pipeline_settings(kafka, topics.prefix)
    await send(kafka, topics.incoming, [review(f"r{i}", f"платье {i}") for i in range(3000)])
    async with running_worker(settings, classifier) as worker:
        while not worker.ready:  # noqa: ASYNC110 - readiness is polled in production too
            await asyncio.sleep(0.01)
    async with running_worker(settings, classifier):
        records = await read_outputs(kafka, topics, 3000)
    assert len({source_of(record, topics) for record in records}) == len(records) == 3000


async def test_repeated_texts_are_answered_from_redis(kafka, topics, redis_url, classifier):
    settings = pipeline_settings(kafka, topics.prefix, redis_url, cache={"timeout": 5.0})
    await send(kafka, topics.incoming, [review("a", "платье красивое")])
    async with running_worker(settings, classifier):
        await read_outputs(kafka, topics, 1)
    await send(kafka, topics.incoming, [review("b", "Платье  КРАСИВОЕ")])
    async with running_worker(settings, classifier) as worker:
        await read_outputs(kafka, topics, 2)
        hits = worker.metrics.registry.get_sample_value(
            "reviews_cache_lookups_total", {"result": "hit"}
        )
    assert hits == 1


async def test_without_redis_everything_is_still_published(kafka, topics, classifier):
    settings = pipeline_settings(kafka, topics.prefix, "redis://127.0.0.1:1/0")
    await send(kafka, topics.incoming, [review(f"r{i}", f"платье {i}") for i in range(200)])
    async with running_worker(settings, classifier):
        assert len(await read_outputs(kafka, topics, 200)) == 200


@both_taxonomies
async def test_batch_summaries_add_up_to_what_was_published(kafka, topics, classifier):
    values = [review(f"r{i}", keywords()[2] if i % 3 else "хм hm") for i in range(900)]
    await send(kafka, topics.incoming, [*values, (b"bad", b"not json")])
    async with running_worker(pipeline_settings(kafka, topics.prefix), classifier):
        await read_outputs(kafka, topics, 901)
        summaries = [
            decode(BatchSummary, record.value)
            for record in await read_topic(kafka, topics.batches, at_least=1)
        ]
    assert sum(summary.reviews for summary in summaries) == 901
    assert sum(summary.published for summary in summaries) == 600
    assert sum(summary.relabelled for summary in summaries) == 300
    assert sum(summary.dead for summary in summaries) == 1
    published = sum(summary.categories[all_categories()[2]].published for summary in summaries)
    assert published == 600


async def test_readiness_tells_when_partitions_are_served(kafka, topics, classifier):
    settings = pipeline_settings(kafka, topics.prefix, http={"port": 0})
    await send(kafka, topics.incoming, [review("a", "платье")])
    async with running_worker(settings, classifier) as worker, aiohttp.ClientSession() as http:
        await read_outputs(kafka, topics, 1)
        base = f"http://127.0.0.1:{worker.health.port}"
        async with http.get(f"{base}/livez") as live:
            assert live.status == 200
        # As an orchestrator does: ask until it is ready. Partitions open one after another.
        async with asyncio.timeout(WAIT_SECONDS):
            while (ready := await http.get(f"{base}/readyz?verbose")).status != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert "[+] partitions open" in await ready.text()
        async with http.get(f"{base}/metrics") as metrics:
            assert "reviews_processed_total" in await metrics.text()


async def test_without_a_broker_the_worker_says_what_to_do(topic_prefix, classifier):
    settings = pipeline_settings("127.0.0.1:1", topic_prefix)
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1") as caught:
        async with running_worker(settings, classifier):
            await asyncio.sleep(3600)
    assert "reviews up" in caught.value.remedy


async def test_absent_topics_are_named(kafka, topic_prefix, classifier):
    with pytest.raises(TopicMissing, match=f"{topic_prefix}.incoming") as caught:
        async with running_worker(pipeline_settings(kafka, topic_prefix), classifier):
            await asyncio.sleep(3600)
    assert "topics create" in caught.value.remedy


async def test_a_taken_health_port_is_named(kafka, topics, classifier, unused_tcp_port_factory):
    port = unused_tcp_port_factory()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    settings = pipeline_settings(kafka, topics.prefix, http={"port": port})
    async with server:
        with pytest.raises(PortTaken, match=str(port)):
            async with running_worker(settings, classifier):
                await asyncio.sleep(3600)
