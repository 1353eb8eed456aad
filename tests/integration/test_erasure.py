"""A review is erased: nothing that can forget still holds it, and the rest is named."""

import asyncio
import html
import json

import numpy as np
import pytest
import redis

from schemas import Category, Label, Review, encode
from stream.kafka.topic_creation import create_topics
from stream.operations.erasure import Eraser
from stream.queue.export import standing_labels
from stream.queue.label_topic import read_labels
from stream.text import fingerprint, normalize
from stream.worker.cache import KEY_PREFIX
from tests.support.command_line import assert_one_clear_line, reviews
from tests.support.pipeline import WAIT_SECONDS, read_topic, send
from tests.support.queue import (
    add_people,
    queue_settings,
    reviewer,
    running_queue,
    send_tasks,
    task,
)
from training.data.dataset import labelled, read_dataset

pytestmark = pytest.mark.kafka
TEXT = "Анна Петрова, мой телефон есть в заказе, чайник сгорел"
OTHER = "Сапоги промокли после первого дождя"


@pytest.fixture
async def settings(kafka, topic_prefix, redis_url, tmp_path):
    made = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    learning = {"runs": tmp_path / "runs", "registry": tmp_path / "registry"}
    made = made.model_copy(update={"learning": made.learning.model_copy(update=learning)})
    await create_topics(made)
    add_people(made, "ann")
    return made


def label(review_id, text):
    return Label(
        review_id=review_id,
        text=text,
        category=Category("kids"),
        decided_by="person",
        labeller="ann",
        codebook_version="1",
    )


async def publish_label(settings, review_id, text):
    message = (review_id.encode(), encode(label(review_id, text)))
    await send(settings.kafka.bootstrap_servers, settings.topic_names.labels, [message])


def redis_says(redis_url):
    """Return everything that Redis holds, as text."""
    with redis.Redis.from_url(redis_url) as client:
        return " ".join(repr((key, _content(client, key))) for key in client.scan_iter())


def _content(client, key):
    read = {b"hash": client.hgetall, b"string": client.get}
    read[b"zset"] = lambda name: client.zrange(name, 0, -1)
    read[b"set"] = client.smembers
    read[b"list"] = lambda name: client.lrange(name, 0, -1)
    return _readable(read[client.type(key)](key))


def _readable(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_readable(k): _readable(v) for k, v in value.items()}
    return [_readable(part) for part in value]


async def until_waiting(queue, count):
    """Wait until so many reviews are filed."""
    async with reviewer(queue, "ann") as ann, asyncio.timeout(WAIT_SECONDS):
        while (  # noqa: ASYNC110 - HTTP has to be asked
            f'id="waiting">{count}<' not in (await ann.client.get("/progress-bar")).text
        ):
            await asyncio.sleep(0.05)


async def test_an_erased_label_is_neither_trained_on_nor_exported(settings):
    await publish_label(settings, "gone", TEXT)
    await publish_label(settings, "stays", OTHER)
    await Eraser(settings).run(["gone"])
    assert [found.review_id for found in (await read_labels(settings)).labels] == ["stays"]
    assert [found.review_id for found in await standing_labels(settings)] == ["stays"]


async def test_the_queue_forgets_the_text_and_goes_on_with_the_rest(settings, redis_url):
    await send_tasks(settings, [task(1, TEXT), task(2, TEXT + "!"), task(3, OTHER)])
    async with running_queue(settings) as queue:
        await until_waiting(queue, 3)
        (done,) = await Eraser(settings).run(["r1"])
        await until_waiting(queue, 2)
    assert done.queue
    assert f"{normalize(TEXT)}'" not in redis_says(redis_url)
    assert normalize(OTHER) in redis_says(redis_url)


async def test_a_decision_about_it_cannot_be_undone_any_more(settings, redis_url):
    await send_tasks(settings, [task(1, TEXT)])
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await ann.decide(await ann.until_card(), Category("kids"))
        await Eraser(settings).run(["r1"])
    assert TEXT not in redis_says(redis_url)


async def test_redis_knows_no_more_of_its_id(settings, redis_url):
    """Skipped, decided, listed among the last acts, counted in a person's pace: the id goes."""
    await send_tasks(settings, [task(77, TEXT), task(78, OTHER)])
    async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
        await until_waiting(queue, 2)
        first = await ann.until_card()
        await ann.decide(first, Category("kids"))
        second = await ann.until_card()
        await ann.decide(second, Category("footwear"))
        assert "r77" in redis_says(redis_url)
        await Eraser(settings).run(["r77"])
    assert "r77" not in redis_says(redis_url)
    assert "r78" in redis_says(redis_url)


async def test_a_rebuilt_queue_does_not_bring_it_back(settings, redis_url):
    await send_tasks(settings, [task(1, TEXT), task(2, OTHER)])
    await Eraser(settings).run(["r1"])
    async with running_queue(settings) as queue:
        await until_waiting(queue, 1)
    assert TEXT not in redis_says(redis_url)


async def test_a_review_that_is_sent_again_later_is_a_new_one(settings):
    await send_tasks(settings, [task(1, TEXT)])
    await Eraser(settings).run(["r1"])
    await send_tasks(settings, [task(1, OTHER)])
    async with running_queue(settings) as queue:
        await until_waiting(queue, 1)


async def test_answers_for_its_text_leave_the_cache(settings, redis_url):
    incoming = settings.topic_names.incoming
    event = (None, encode(Review(review_id="gone", text=TEXT)))  # sent without a key
    await send(settings.kafka.bootstrap_servers, incoming, [event])
    prints = [fingerprint(normalize(text)) for text in (TEXT, OTHER)]
    with redis.Redis.from_url(redis_url) as client:
        client.mset({f"{KEY_PREFIX}{'0' * 16}:{found}": b"answer" for found in prints})
        (done,) = await Eraser(settings).run(["gone"])
        left = list(client.scan_iter(match=f"{KEY_PREFIX}*"))
    assert done.cached == 1
    assert left == [f"{KEY_PREFIX}{'0' * 16}:{prints[1]}".encode()]


async def test_data_sets_lose_its_row_and_their_models_are_named(settings, tmp_path):
    await publish_label(settings, "gone", TEXT)
    run = settings.learning.runs / "0123456789abcdef"
    dataset = labelled([TEXT, OTHER], [5, 1], "person")
    digest = dataset.write(run / "dataset.jsonl")
    (run / "lineage.json").write_text(json.dumps({"digest": digest}))
    settings.learning.registry.mkdir()
    versions = [
        {"number": 1, "training_digest": "of another"},
        {"number": 2, "training_digest": digest},
    ]
    (settings.learning.registry / "registry.json").write_text(json.dumps({"versions": versions}))
    extra = tmp_path / "labelled.csv"
    extra.write_text("review_id,text,category\ngone,что-то другое,kids\nstays,платье,clothing\n")

    (done,) = await Eraser(settings, more_files=[extra]).run(["gone"])

    assert read_dataset(run / "dataset.jsonl").texts == [OTHER]
    assert extra.read_text() == "review_id,text,category\nstays,платье,clothing\n"
    assert done.models == [2]
    assert json.loads((run / "erased.jsonl").read_text())["rows"] == 1


async def test_what_still_tells_of_it_is_named(settings, tmp_path):
    await publish_label(settings, "gone", TEXT)
    report = tmp_path / "report"
    report.mkdir()
    (report / "index.html").write_text(f"<td>{html.escape(TEXT)}</td>", encoding="utf-8")
    (report / "other.html").write_text(f"<td>{html.escape(OTHER)}</td>", encoding="utf-8")
    version = settings.learning.registry / "versions" / "1"
    version.mkdir(parents=True)
    marks = [int(fingerprint(normalize(text))[:16], 16) for text in (TEXT, OTHER)]
    np.save(version / "known.npy", np.array(marks, dtype=np.uint64))
    (done,) = await Eraser(settings, look_in=[report]).run(["gone"])
    left = {trace.where: trace.what for trace in done.traces}
    assert set(left) == {str(report / "index.html"), str(version / "known.npy")}
    assert "64-bit hash" in left[str(version / "known.npy")]


async def test_a_dry_run_changes_nothing(settings):
    await publish_label(settings, "gone", TEXT)
    (done,) = await Eraser(settings, dry_run=True).run(["gone"])
    assert done.found
    assert len((await read_labels(settings)).labels) == 1


async def test_the_command_says_which_topics_keep_it_and_until_when(settings, redis_url):
    names = settings.topic_names
    await send_tasks(settings, [task(1, TEXT)])
    await publish_label(settings, "r1", TEXT)
    variables = {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "REVIEWS_TOPICS__PREFIX": settings.topics.prefix,
        "REVIEWS_CACHE__URL": redis_url,
        "REVIEWS_LEARNING__RUNS": str(settings.learning.runs),
    }
    first = reviews("erase", "r1", "--json", **variables)
    again = reviews("erase", "r1", **variables)
    unknown = reviews("erase", "nobody", **variables)

    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    found = {topic.pop("topic"): topic for topic in json.loads(first.stdout)["topics"]}
    assert found[names.labels]["compacted"]
    assert found[names.relabel]["kept_until"] > "2026"
    assert "deleted by the broker after" in again.stdout
    assert (unknown.returncode, unknown.stdout) == (1, "")
    # Twice is once: the second run found tombstones and wrote no more.
    assert (
        sum(
            r.value is None
            for r in await read_topic(settings.kafka.bootstrap_servers, names.labels, 2)
        )
        == 1
    )


async def test_without_redis_nothing_is_erased_and_one_line_says_so(settings):
    await publish_label(settings, "gone", TEXT)
    result = reviews(
        "erase",
        "gone",
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=settings.kafka.bootstrap_servers,
        REVIEWS_TOPICS__PREFIX=settings.topics.prefix,
        REVIEWS_CACHE__URL="redis://127.0.0.1:1/0",
    )
    assert_one_clear_line(result, 5, "gone was not erased")
    assert len((await read_labels(settings)).labels) == 1


async def test_several_are_erased_at_once_and_each_is_told_of(settings, redis_url):
    for review_id in ("r1", "r2", "r3"):
        await publish_label(settings, review_id, TEXT)
    result = reviews(
        "erase",
        "-",
        "--json",
        stdin="r1\n\n r3 \nnobody\nr1\n",
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=settings.kafka.bootstrap_servers,
        REVIEWS_TOPICS__PREFIX=settings.topics.prefix,
        REVIEWS_CACHE__URL=redis_url,
        REVIEWS_LEARNING__RUNS=str(settings.learning.runs),
    )
    assert result.returncode == 1, "of one nothing is known"
    assert "nobody" in result.stderr
    told = json.loads(result.stdout)
    assert [(one["review_id"], one["tombstones"]) for one in told] == [
        ("r1", 1),
        ("r3", 1),
        ("nobody", 0),
    ]
    assert {kept.review_id for kept in (await read_labels(settings)).labels} == {"r2"}
