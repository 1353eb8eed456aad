"""The producer and consumer clients on a real broker."""

import asyncio
import contextlib

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from schemas import (
    CategorizedReview,
    Category,
    Review,
    all_categories,
    category_count,
    cloud_event,
    decode,
    encode,
)
from schemas.events import now
from stream.clients import (
    CategoryConsumer,
    DeadLetterConsumer,
    RelabelConsumer,
    ReviewProducer,
    derived_id,
)
from stream.errors import BrokerError, ConfigError, InvalidReview, TopicMissing
from stream.kafka.clients import observer
from stream.kafka.lag import worker_lag
from stream.kafka.topic_creation import create_topics
from stream.kafka.topic_descriptions import describe_topics, uneven_partitions
from tests.support.pipeline import pipeline_settings, read_topic, running_worker, send
from tests.support.taxonomies import both_taxonomies
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

CLOTHING = Category("clothing")


@pytest.fixture
async def settings(kafka, topic_prefix, taxonomy):
    made = pipeline_settings(kafka, topic_prefix)
    await create_topics(made)
    return made


def decided(review_id, category=CLOTHING):
    return CategorizedReview(
        review=Review(review_id=review_id, text="платье"),
        category=category,
        confidence=0.9,
        decided_by="model",
    )


async def publish(kafka, settings, ids, category=CLOTHING):
    topic = settings.topic_names.category(category)
    await send(kafka, topic, [(i.encode(), encode(decided(i, category))) for i in ids])


async def drained(consumer):
    async with consumer:
        return [event async for event in consumer]


async def test_a_reader_stops_though_its_fetcher_takes_the_cancellation_for_another_ones(
    kafka, settings
):
    incoming, relabel = (
        TopicPartition(topic, 0)
        for topic in (settings.topic_names.incoming, settings.topic_names.relabel)
    )
    reader = observer(settings.kafka)
    await reader.start()
    reader.assign([incoming])
    await reader.getmany(timeout_ms=100)
    ending = asyncio.Event()

    async def slow_to_end():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ending.set()
            await asyncio.Event().wait()

    # A fetch that is on its way when its partition is given away.
    reader._fetcher._pending_tasks.add(asyncio.create_task(slow_to_end()))
    reader.assign([relabel])
    await ending.wait()
    # Not asyncio.timeout: aiokafka takes that for another one's, too.
    ended, _ = await asyncio.wait([asyncio.create_task(reader.stop())], timeout=20)
    assert ended


async def test_send_returns_where_the_review_stands(kafka, settings):
    async with ReviewProducer(settings) as producer:
        position = await producer.send(Review(review_id="7", text="чайник"))
    (record,) = await read_topic(kafka, settings.topic_names.incoming, 1)
    assert (record.partition, record.offset) == (position.partition, position.offset)
    assert record.key == b"7"
    assert decode(Review, record.value).text == "чайник"


async def test_a_bare_text_gets_the_same_id_every_time(kafka, settings):
    async with ReviewProducer(settings) as producer:
        await producer.send("чайник")
        await producer.send("чайник")
    records = await read_topic(kafka, settings.topic_names.incoming, 2)
    assert {record.key.decode() for record in records} == {derived_id("чайник")}


async def test_what_is_sent_is_a_cloud_event(kafka, settings):
    async with ReviewProducer(settings, source="/shop") as producer:
        await producer.send(Review(review_id="7", text="чайник"))
    (record,) = await read_topic(kafka, settings.topic_names.incoming, 1)
    headers = dict(record.headers)
    expected = dict(cloud_event(Review, "", "7", now(), "/shop"))
    assert headers.keys() == expected.keys()
    assert headers["ce_type"] == expected["ce_type"]
    assert headers["ce_source"] == b"/shop"


async def test_many_reviews_arrive_once_each_and_are_counted(kafka, settings):
    counts = []
    reviews = (Review(review_id=str(i), text=f"платье {i}") for i in range(12_000))
    async with ReviewProducer(settings) as producer:
        sent = await producer.send_many(reviews, counts.append)
    records = await read_topic(kafka, settings.topic_names.incoming, 12_000)
    assert sent == counts[-1] == len(records) == len({r.key for r in records}) == 12_000


async def test_an_asynchronous_stream_can_be_sent(kafka, settings):
    async def stream():
        for text in ("чайник", "утюг"):
            yield text

    async with ReviewProducer(settings) as producer:
        assert await producer.send_many(stream()) == 2


@pytest.mark.parametrize(
    "text", ["", " \n", "a" * 20_001, "\ud800"], ids=["empty", "blank", "too long", "no Unicode"]
)
async def test_a_review_that_breaks_the_contract_is_refused_before_it_is_sent(
    kafka, settings, text
):
    async with ReviewProducer(settings) as producer:
        with pytest.raises(InvalidReview):
            await producer.send(text)
        await producer.send("чайник")
    assert len(await read_topic(kafka, settings.topic_names.incoming, 1)) == 1


async def test_reviews_before_an_invalid_one_are_delivered(kafka, settings):
    async with ReviewProducer(settings) as producer:
        with pytest.raises(InvalidReview):
            await producer.send_many(["раз", "два", "", "три"])
    assert len(await read_topic(kafka, settings.topic_names.incoming, 2)) == 2


async def test_without_a_broker_the_producer_says_what_to_do(topic_prefix):
    producer = ReviewProducer(pipeline_settings("127.0.0.1:1", topic_prefix))
    with pytest.raises(BrokerError) as caught:
        await producer.__aenter__()
    assert "reviews up" in caught.value.remedy


async def test_an_absent_topic_is_named_at_once(kafka, topic_prefix):
    settings = pipeline_settings(kafka, topic_prefix)
    for client in (ReviewProducer(settings), CategoryConsumer(settings=settings)):
        with pytest.raises(TopicMissing, match=topic_prefix):
            await client.__aenter__()


async def test_a_drain_ends_where_the_topics_end(kafka, settings):
    await publish(kafka, settings, ["a", "b"])
    await publish(kafka, settings, ["c"], Category("kids"))
    events = await drained(CategoryConsumer(settings=settings, follow=False))
    assert {event.review.review_id for event in events} == {"a", "b", "c"}


async def test_a_drain_of_empty_topics_ends(settings):
    assert await drained(CategoryConsumer(settings=settings, follow=False)) == []


@both_taxonomies
async def test_only_the_wanted_categories_are_read(kafka, settings, taxonomy):
    wanted = all_categories()[-1]
    await publish(kafka, settings, ["a"], all_categories()[0])
    await publish(kafka, settings, ["c"], wanted)
    name = wanted.info.name(taxonomy.languages[0])
    events = await drained(CategoryConsumer([name], settings=settings, follow=False))
    assert [event.review.review_id for event in events] == ["c"]


def test_an_unknown_category_is_refused_with_the_list():
    with pytest.raises(ConfigError) as caught:
        CategoryConsumer(["shoes"])
    assert "footwear" in caught.value.remedy


async def test_a_group_goes_on_where_it_stopped(kafka, settings):
    def consumer():
        return CategoryConsumer([CLOTHING], settings=settings, group="g", follow=False)

    await publish(kafka, settings, ["a", "b"])
    first = await drained(consumer())
    await publish(kafka, settings, ["c"])
    second = await drained(consumer())
    assert len(first) == 2
    assert [event.review.review_id for event in second] == ["c"]


async def test_an_event_whose_handling_failed_comes_again(kafka, settings):
    await publish(kafka, settings, ["a"] * 3)

    async def fail_at_the_second():
        async with CategoryConsumer([CLOTHING], settings=settings, group="g") as consumer:
            await anext(consumer)
            await anext(consumer)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_at_the_second()
    again = await drained(CategoryConsumer([CLOTHING], settings=settings, group="g", follow=False))
    assert len(again) == 2  # the one that failed, and the one after it


async def test_leaving_the_loop_counts_the_event_in_hand_as_handled(kafka, settings):
    await publish(kafka, settings, ["a"] * 3)
    async with CategoryConsumer([CLOTHING], settings=settings, group="g") as consumer:
        async for _ in consumer:
            break
    again = await drained(CategoryConsumer([CLOTHING], settings=settings, group="g", follow=False))
    assert len(again) == 2


async def test_with_manual_commit_nothing_is_committed_unasked(kafka, settings):
    def consumer():
        return CategoryConsumer(
            [CLOTHING], settings=settings, group="g", follow=False, commit="manual"
        )

    await publish(kafka, settings, ["a"] * 3)
    assert len(await drained(consumer())) == 3
    async with consumer() as second:
        async for _ in second:
            await second.commit()
            break
    assert len(await drained(consumer())) == 2


async def test_two_members_of_a_group_share_the_work(kafka, settings):
    ids = [f"r{i}" for i in range(200)]
    await publish(kafka, settings, ids)
    seen: list[list[str]] = [[], []]
    everything = asyncio.Event()

    async def read(mine):
        async with CategoryConsumer([CLOTHING], settings=settings, group="g") as consumer:
            async for event in consumer:
                mine.append(event.review.review_id)
                if set(ids) <= {*seen[0], *seen[1]}:
                    everything.set()

    readers = [asyncio.create_task(read(mine)) for mine in seen]
    await asyncio.wait_for(everything.wait(), 60)
    for reader in readers:
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader
    assert set(ids) == {*seen[0], *seen[1]}


async def test_following_sees_what_comes_later(kafka, settings):
    async with CategoryConsumer([CLOTHING], settings=settings) as consumer:
        await publish(kafka, settings, ["a"])
        event = await asyncio.wait_for(anext(aiter(consumer)), 30)
    assert event.review.review_id == "a"


async def test_an_aborted_transaction_is_never_seen_and_never_stalls_a_drain(kafka, settings):
    topic = settings.topic_names.category(CLOTHING)
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, transactional_id=settings.topics.prefix
    ) as producer:
        for commit, name in ((False, "aborted"), (True, "committed")):
            await producer.begin_transaction()
            await producer.send(topic, encode(decided(name)), partition=0)
            await (producer.commit_transaction() if commit else producer.abort_transaction())
    events = await drained(CategoryConsumer([CLOTHING], settings=settings, follow=False))
    assert [event.review.review_id for event in events] == ["committed"]


async def test_a_tombstone_of_an_erasure_is_no_strangers_message(kafka, settings):
    topic = settings.topic_names.category(CLOTHING)
    await send(kafka, topic, [(b"erased", None)])
    await publish(kafka, settings, ["a"])
    consumer = CategoryConsumer([CLOTHING], settings=settings, follow=False)
    assert len(await drained(consumer)) == 1
    assert consumer.unreadable == 0


async def test_a_strangers_message_in_our_topic_is_left_out_and_counted(kafka, settings):
    topic = settings.topic_names.category(CLOTHING)
    await send(kafka, topic, [(b"x", b"not json")])
    await publish(kafka, settings, ["a"])
    consumer = CategoryConsumer([CLOTHING], settings=settings, follow=False)
    assert len(await drained(consumer)) == 1
    assert consumer.unreadable == 1


@both_taxonomies
async def test_relabel_tasks_and_dead_letters_are_typed(kafka, settings, tmp_path):
    incoming = settings.topic_names.incoming
    unsure = (b"u", encode(Review(review_id="u", text="непонятно unclear")))
    await send(kafka, incoming, [unsure, (b"bad", b"not json")])
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        async with RelabelConsumer(settings=settings) as tasks:
            task = await asyncio.wait_for(anext(aiter(tasks)), 60)
        async with DeadLetterConsumer(settings=settings) as letters:
            letter = await asyncio.wait_for(anext(aiter(letters)), 60)
    assert task.review.review_id == "u"
    assert len(task.probabilities) == category_count()
    assert (letter.key, letter.value, letter.reason.code) == (b"bad", b"not json", "not-json")


async def test_lag_counts_what_no_worker_has_answered(kafka, settings):
    await send(kafka, settings.topic_names.incoming, [(b"k", b"v")] * 5)
    assert sum(partition.lag for partition in await worker_lag(settings)) == 5


async def test_topics_are_created_once_with_their_policies(settings):
    again = await create_topics(settings)
    described = {topic.name: topic for topic in await describe_topics(settings)}
    names = settings.topic_names
    assert {topic.outcome for topic in again} == {"exists"}
    assert described[names.labels].config["cleanup.policy"] == "compact"
    assert described[names.models].partitions == 1
    assert not any(topic.problems for topic in described.values())
    assert uneven_partitions(described.values(), names) == []
