"""A category that is held: no worker publishes it, none of its reviews is lost, a person lets it go."""

import asyncio
import json

import pytest

from schemas import CategorizedReview, Category, GuardDecision, RelabelTask, decode, encode
from stream.guard.sealing import DecisionSeal
from tests.support.command_line import reviews
from tests.support.pipeline import (
    by_topic,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
    source_of,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
CLOTHING = Category("clothing")
KEY = "a key of sixteen or more"


def review(review_id, text="платье"):
    return review_id.encode(), json.dumps({"review_id": review_id, "text": text}).encode()


def guarded(kafka, topics, **more):
    return pipeline_settings(kafka, topics.prefix, guard={"mode": "hold", "key": KEY}, **more)


def held(settings, version, number=1, action="held"):
    decision = GuardDecision(
        category=CLOTHING,
        model_version=version,
        number=number,
        action=action,
        promised=0.95,
        audited=40,
        right=20,
        evidence=1e6,
        decided_by="monitor",
    )
    return DecisionSeal(settings.guard, settings.topics.prefix).sealed(decision)


async def decide(kafka, topics, decision):
    await send(kafka, topics.guard, [(b"m/clothing", encode(decision))])


async def until_each(workers, version, *, hold):
    async with asyncio.timeout(60):
        while any(bool(w.held_categories.of(version)) != hold for w in workers):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_two_workers_hold_a_category_within_seconds_and_a_person_releases_it(
    kafka, topics, tmp_path
):
    model = tiny_classifier(tmp_path / "model")
    settings = guarded(kafka, topics)
    async with running_worker(settings, model) as one, running_worker(settings, model) as two:
        await send(kafka, topics.incoming, [review(f"a{i}") for i in range(20)])
        await read_outputs(kafka, topics, 20)
        await decide(kafka, topics, held(settings, model.version))
        await until_each([one, two], model.version, hold=True)
        await send(kafka, topics.incoming, [review(f"b{i}") for i in range(20)])
        await read_outputs(kafka, topics, 40)
    # What was held before a restart is held after it, from the first review on.
    async with running_worker(settings, model) as one:
        await send(kafka, topics.incoming, [review(f"c{i}") for i in range(20)])
        await read_outputs(kafka, topics, 60)
        environment = {
            "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
            "REVIEWS_TOPICS__PREFIX": topics.prefix,
            "REVIEWS_GUARD__KEY": KEY,
            "REVIEWS_GUARD__MODE": "hold",
        }
        shown = await asyncio.to_thread(reviews, "guard", **environment)
        assert (shown.returncode, "20 of 40 audits right" in shown.stdout) == (1, True)
        release = ("guard", "release", "clothing", "--note", "looked at")
        done = await asyncio.to_thread(reviews, *release, **environment)
        assert done.returncode == 0, done.stderr
        await until_each([one], model.version, hold=False)
        await send(kafka, topics.incoming, [review(f"d{i}") for i in range(20)])
        records = await read_outputs(kafka, topics, 80)
    found = by_topic(records)
    published = [decode(CategorizedReview, r.value) for r in found[topics.category(CLOTHING)]]
    tasks = [decode(RelabelTask, r.value) for r in found[topics.relabel]]
    assert len({source_of(record, topics) for record in records}) == len(records) == 80
    assert {one.review.review_id[0] for one in published} == {"a", "d"}
    assert {task.review.review_id[0] for task in tasks} == {"b", "c"}
    assert all(task.held for task in tasks)


async def test_other_models_and_unsealed_decisions_hold_nothing(kafka, topics, tmp_path):
    model = tiny_classifier(tmp_path / "model")
    settings = guarded(kafka, topics)
    unsealed = held(settings, model.version).model_copy(update={"seal": ""})
    await decide(kafka, topics, unsealed)
    await decide(kafka, topics, held(settings, "another"))
    async with running_worker(settings, model):
        await send(kafka, topics.incoming, [review(f"r{i}") for i in range(10)])
        found = by_topic(await read_outputs(kafka, topics, 10))
    assert set(found) == {topics.category(CLOTHING)}


async def test_a_worker_that_is_told_to_hold_nothing_reads_no_decisions(kafka, topics, tmp_path):
    model = tiny_classifier(tmp_path / "model")
    settings = guarded(kafka, topics)
    await decide(kafka, topics, held(settings, model.version))
    alarm = pipeline_settings(kafka, topics.prefix, guard={"mode": "alarm", "key": KEY})
    async with running_worker(alarm, model):
        await send(kafka, topics.incoming, [review(f"r{i}") for i in range(10)])
        found = by_topic(await read_outputs(kafka, topics, 10))
    assert set(found) == {topics.category(CLOTHING)}
