"""The whole loop on a real broker and a real Redis, while reviews keep coming.

A weak model is unsure of everything and takes boots for dresses. Scripted people decide what it
asks; a retraining learns from them and is promoted; the running worker swaps; a retraining on
bad labels is refused; a rollback brings the weak model back. The learner is small but real: it
counts which category each keyword was given.
"""

import asyncio
import itertools
import uuid
from dataclasses import dataclass, field

import numpy as np
import pytest
import redis

from schemas import (
    CategorizedReview,
    Label,
    RelabelTask,
    TopicNames,
    all_categories,
    decode,
    encode,
)
from stream.kafka.topic_creation import create_topics
from tests.support.command_line import reviews
from tests.support.learning_loop import (
    BOOTS,
    BURST,
    TABLEWARE,
    count_keywords,
    loop_settings,
    message,
    read_summaries,
    reviews_under,
    steady_load,
    true_category,
    until_served,
    write_weak_model,
)
from tests.support.pipeline import read_outputs, read_topic, running_worker, send, source_of
from tests.support.tiny_model import KEYWORDS
from training.fit.config import TrainConfig
from training.registry.store import Registry
from training.retrain.run import Plan, retrain

pytestmark = pytest.mark.kafka

ASKED = 180
ROOM = 300


@dataclass
class Story:
    """What happened, as the tests look at it."""

    topics: TopicNames
    registry: Registry
    first: object = None
    refused: object = None
    served: list = field(default_factory=list)
    sent: int = 0
    outputs: list = field(default_factory=list)
    summaries: list = field(default_factory=list)
    cached_versions: set = field(default_factory=set)
    rollback: object = None


def burst(start):
    """Return the next reviews; half of them repeat earlier texts, so that the cache is asked."""
    return [
        message(f"r{n}", f"{KEYWORDS[n % 9]} {n if n % 2 else n % 18}")
        for n in range(start, start + BURST)
    ]


async def decide(kafka, topics, tasks, answer, revision=1):
    labels = [
        Label(
            review_id=task.review.review_id,
            text=task.review.text,
            category=answer(task.review.text),
            decided_by="person",
            labeller="anna",
            codebook_version="1",
            revision=revision,
        )
        for task in tasks
    ]
    await send(kafka, topics.labels, [(x.review_id.encode(), encode(x)) for x in labels])


def boots_are_tableware(text):
    said = true_category(text)
    return all_categories()[TABLEWARE] if said == all_categories()[BOOTS] else said


async def tell(kafka, settings, topics, folder, story):
    """Drive the story from its weak beginning to the rollback."""
    weak = write_weak_model(folder / "weak")
    plan = Plan("counts", TrainConfig(), base=())
    async with running_worker(settings, weak) as worker:
        async with steady_load(kafka, topics.incoming, burst) as sent:
            asked = await read_topic(kafka, topics.relabel, at_least=ASKED)
            tasks = [decode(RelabelTask, record.value) for record in asked]
            await decide(kafka, topics, tasks, true_category)
            story.first = await asyncio.to_thread(retrain, settings, plan, train=count_keywords)
            assert story.first.verdict.passed, story.first.verdict.reasons
            learned = story.first.record.version
            await read_summaries(kafka, topics, reviews_under(learned, ROOM))

            await decide(kafka, topics, tasks, boots_are_tableware, revision=2)
            story.refused = await asyncio.to_thread(retrain, settings, plan, train=count_keywords)
            story.served.append(worker.models.serving.version)
            where = ("-b", kafka, "-p", topics.prefix, "--registry", str(story.registry.folder))
            story.rollback = await asyncio.to_thread(reviews, "model", "rollback", *where)
            await until_served(worker, weak.version)
            story.served.append(worker.models.serving.version)
        story.sent = sent["count"]
        story.outputs = await read_outputs(kafka, topics, story.sent)
    everything = lambda found: sum(s.reviews for s in found) >= story.sent  # noqa: E731
    story.summaries = await read_summaries(kafka, topics, everything)


@pytest.fixture(scope="module")
async def story(stack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop")
    kafka, prefix = stack.bootstrap_servers, f"t{uuid.uuid4().hex[:10]}"
    settings = loop_settings(kafka, prefix, stack.redis_url, folder)
    await create_topics(settings)
    told = Story(TopicNames(prefix), Registry(settings.learning.registry))
    await tell(kafka, settings, told.topics, folder, told)
    with redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        versions = [v.version for v in told.registry.state().versions]
        told.cached_versions = {v for v in versions if any(v in k for k in client.scan_iter())}
    return told


def event_of(record, topics):
    kind = RelabelTask if record.topic == topics.relabel else CategorizedReview
    return decode(kind, record.value)


def by_version(story):
    found = {}
    for record in story.outputs:
        event = event_of(record, story.topics)
        found.setdefault(event.model_version, []).append((record, event))
    return found


def guess(event):
    if isinstance(event, RelabelTask):
        return max(event.probabilities, key=event.probabilities.get)
    return event.category


def test_no_review_is_lost_or_decided_twice_while_models_change(story):
    sources = [source_of(record, story.topics) for record in story.outputs]
    assert len(sources) == len(set(sources)) == story.sent


def test_every_review_names_the_model_of_its_whole_batch(story):
    """The summaries' ranges tell which batch a review was in, and a batch has one model."""
    of_source = {
        source_of(record, story.topics): event_of(record, story.topics).model_version
        for record in story.outputs
    }
    covered = 0
    for summary in story.summaries:
        for offset in range(summary.first_offset, summary.last_offset + 1):
            assert of_source[summary.source_partition, offset] == summary.model_version
            covered += 1
    assert covered == story.sent


def test_the_promoted_model_is_sure_and_right_where_the_first_asked_and_erred(story):
    weak, learned = (story.registry.resolve(n).version for n in (1, 2))
    served = by_version(story)
    asked = {
        v: np.mean([record.topic == story.topics.relabel for record, _ in served[v]])
        for v in (weak, learned)
    }
    right = {
        v: np.mean([guess(event) == true_category(event.review.text) for _, event in served[v]])
        for v in (weak, learned)
    }
    assert (asked[weak], asked[learned]) == (1.0, 0.0)
    assert right[weak] == pytest.approx(8 / 9, abs=0.05)
    assert right[learned] == 1.0


def test_answers_in_the_cache_belong_to_one_model_each(story):
    weak, learned = (story.registry.resolve(n).version for n in (1, 2))
    assert story.cached_versions == {weak, learned}


def test_the_retrained_version_tells_which_labels_it_learned_from(story):
    lineage = story.registry.resolve(2).lineage
    assert lineage["labels"]["decided_by"] == {"person": story.first.lineage.labels.reviews}
    assert sum(lineage["labels"]["offsets"].values()) >= ASKED
    assert lineage["digest"] == story.first.lineage.digest


def test_a_candidate_that_learned_from_bad_labels_is_refused_with_reasons(story):
    verdict = story.refused.verdict
    assert not verdict.passed
    assert any("F1" in reason for reason in verdict.reasons), verdict.reasons
    assert not story.refused.announced


def test_a_refused_candidate_never_serves(story):
    refused = story.registry.resolve(3).version
    assert story.served[0] == story.registry.resolve(2).version
    assert refused not in {summary.model_version for summary in story.summaries}


def test_one_command_restores_the_former_model_on_the_running_worker(story):
    assert story.rollback.returncode == 0, story.rollback.stderr
    assert story.served[-1] == story.registry.resolve(1).version
    assert story.registry.state().champion == 1


def test_publishing_does_not_pause_for_a_swap(story):
    """The pause between the two models' batches is one that batches of one model have as well."""
    learned = story.registry.resolve(2).version
    ordered = sorted(story.summaries, key=lambda s: s.processed_at)
    gaps = [
        (
            (b.processed_at - a.processed_at).total_seconds(),
            learned == b.model_version != a.model_version,
        )
        for a, b in itertools.pairwise(ordered)
    ]
    swap = max(gap for gap, swaps in gaps if swaps)
    usual = [gap for gap, swaps in gaps if not swaps]
    print(f"at the swap {swap * 1000:.1f} ms, else at most {max(usual) * 1000:.1f} ms")  # noqa: T201
    assert swap <= max(2 * max(usual), 1.0)
