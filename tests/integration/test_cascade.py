"""A model of two stages serves as one: outcomes, metrics and summaries, and the way in and out."""

import asyncio
import json
from collections import Counter

import pytest

from schemas import (
    BatchSummary,
    CategorizedReview,
    Review,
    all_categories,
    decode,
    encode,
)
from stream.kafka.topic_creation import create_topics
from stream.model.classifier import Classifier
from stream.worker.app import Worker
from tests.support.command_line import reviews
from tests.support.pipeline import (
    WAIT_SECONDS,
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
)
from tests.support.tiny_cascade import write_tiny_cascade
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.registry.announce import announce, announcement
from training.registry.store import Registry

pytestmark = pytest.mark.kafka

# The first stage takes boots for a dress: that tells who decided.
MISTAKEN = {1: 2}
"""By category id."""
UNKNOWN = "непонятно"


def messages(start, count):
    """Return reviews of keywords in turn, none twice, and one in ten that no stage knows."""
    for number in range(start, start + count):
        word = UNKNOWN if number % 10 == 9 else KEYWORDS[number % 10]
        review = Review(review_id=f"r{number}", text=f"{word} {number}")
        yield f"r{number}".encode(), encode(review)


def decided(records, topics):
    """Return what each published review was taken for."""
    published = (decode(CategorizedReview, r.value) for r in records if r.topic != topics.relabel)
    return {review.review.review_id: review.category.id for review in published}


def counted(worker: Worker):
    return {
        stage: worker.metrics.registry.get_sample_value("reviews_cascade_total", {"stage": stage})
        for stage in ("first", "last")
    }


async def summaries(kafka, topics, of_reviews):
    told = []
    async with asyncio.timeout(WAIT_SECONDS):
        while sum(summary.reviews for summary in told) < of_reviews:
            records = await read_topic(kafka, topics.batches, len(told) + 1)
            told = [decode(BatchSummary, record.value) for record in records]
    return told


async def test_outcomes_are_those_of_both_stages_and_each_stage_s_share_is_counted(
    kafka, topic_prefix, tmp_path
):
    settings = pipeline_settings(kafka, topic_prefix)
    await create_topics(settings)
    topics = settings.topic_names
    write_tiny_cascade(tmp_path / "model", mistakes=MISTAKEN)
    model = Classifier.load(tmp_path / "model", device="cpu", threads=1)
    async with running_worker(settings, model) as worker:
        await send(kafka, topics.incoming, messages(0, 100))
        records = await read_outputs(kafka, topics, 100)
        assert counted(worker) == {"first": 90, "last": 10}
        told = await summaries(kafka, topics, of_reviews=100)
    found = decided(records, topics)
    assert Counter(found.values()) == {2: 20, **dict.fromkeys((0, 3, 4, 5, 6, 7, 8), 10)}
    assert len(records) - len(found) == 10, "what neither stage is sure of is relabelled"
    assert sum(summary.first_stage for summary in told) == 90
    assert {summary.model_version for summary in told} == {model.version}


async def test_a_cascade_is_announced_served_and_left_again_like_any_model(
    kafka, topic_prefix, tmp_path
):
    registry = Registry(tmp_path / "registry", user="anna")
    write_tiny_model(tmp_path / "single")
    write_tiny_cascade(tmp_path / "both", mistakes=MISTAKEN)
    single, both = (registry.add(tmp_path / name) for name in ("single", "both"))
    settings = pipeline_settings(kafka, topic_prefix, learning={"registry": registry.folder})
    await create_topics(settings)
    topics = settings.topic_names
    found = {}
    model = Classifier.load(registry.path(single), device="cpu", threads=1)
    async with running_worker(settings, model) as worker:
        for turn, record in enumerate((single, both, single)):
            await announce(settings, announcement(registry, record))
            async with asyncio.timeout(WAIT_SECONDS):
                while worker.models.serving.version != record.version:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await send(kafka, topics.incoming, messages(turn * 10, 10))
            records = await read_outputs(kafka, topics, (turn + 1) * 10)
            found |= decided(records, topics)
        assert counted(worker) == {"first": 9, "last": 1}
    boots = {review_id: category for review_id, category in found.items() if review_id[-1] == "1"}
    assert boots == {"r1": 1, "r11": 2, "r21": 1}


def test_the_command_makes_a_folder_that_the_other_commands_take_for_one_model(tmp_path):
    write_tiny_model(tmp_path / "cheap", mistakes=MISTAKEN)
    write_tiny_model(tmp_path / "exact")
    words = [KEYWORDS[number % 9] for number in range(1200)]
    # Twice: surely; once: less so.
    texts = [f"{word} {word if n % 2 else ''} {n}" for n, word in enumerate(words)]
    rows = [f"{text},{all_categories()[n % 9]}" for n, text in enumerate(texts)]
    (tmp_path / "labels.csv").write_text("\n".join(["text,category", *rows]), encoding="utf-8")
    (tmp_path / "new.csv").write_text("text\nсапоги сапоги\nчайник чайник\n", encoding="utf-8")
    made = reviews(
        *("model", "cascade", "cheap", "exact", "--validation", "labels.csv", "-o", "both"),
        *("--precision", "0.9"),
        cwd=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    assert "decides" in made.stderr
    found = reviews("classify", "new.csv", "--model", "both", "-o", "out.jsonl", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    categories = [json.loads(line)["category"] for line in lines]
    assert categories == ["footwear", "household-appliances"]
