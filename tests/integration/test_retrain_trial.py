"""`reviews retrain` on a real Kafka: trials of what passed, and audits that judge and do not teach."""

import asyncio

import pytest

from schemas import (
    Label,
    ModelAnnouncement,
    Taxonomy,
    active_taxonomy,
    all_categories,
    decode,
    encode,
    using,
)
from stream.kafka.topic_creation import create_topics
from stream.model.folder import read_manifest, write_manifest
from tests.support.learning_loop import count_keywords, loop_settings, write_weak_model
from tests.support.pipeline import read_topic, send
from tests.support.queue import task
from tests.support.tiny_model import KEYWORDS
from training.data.unstated import Unstated
from training.fit.config import TrainConfig
from training.registry.store import Registry
from training.retrain.errors import NothingToLearn
from training.retrain.run import Plan, retrain

pytestmark = pytest.mark.kafka


@pytest.fixture
async def settings(kafka, topic_prefix, redis_url, tmp_path):
    """A weak champion, and decisions from which a better one can be learned."""
    settings = loop_settings(kafka, topic_prefix, redis_url, tmp_path)
    await create_topics(settings)
    write_weak_model(tmp_path / "weak")
    labels = [
        Label(
            review_id=word,
            text=f"{word} как {word}",
            category=category,
            decided_by="person",
            labeller="anna",
            codebook_version="1",
        )
        for word, category in zip(KEYWORDS, all_categories(), strict=True)
    ]
    messages = [(x.review_id.encode(), encode(x)) for x in labels]
    await send(kafka, settings.topic_names.labels, messages)
    return settings


@pytest.mark.parametrize(("role", "share"), [("canary", 0.25), ("shadow", 0.0)])
async def test_a_candidate_that_passed_is_announced_in_its_role_and_stays_the_challenger(
    settings, kafka, role, share
):
    plan = Plan("counts", TrainConfig(), base=(), role=role, share=0.25)
    outcome = await asyncio.to_thread(retrain, settings, plan, train=count_keywords)
    (record,) = await read_topic(kafka, settings.topic_names.models, at_least=1)
    message = decode(ModelAnnouncement, record.value)
    state = Registry(settings.learning.registry).state()
    assert outcome.verdict.passed, outcome.verdict.reasons
    assert (message.role, message.canary_share) == (role, share)
    assert message.version == outcome.record.version
    assert (state.champion, state.challenger) == (1, outcome.record.number)


async def test_audits_of_the_champion_judge_the_candidate_and_are_not_trained_on(
    settings, kafka, tmp_path
):
    serves = read_manifest(tmp_path / "weak").version
    word, category = KEYWORDS[0], all_categories()[0]
    asked = [
        task(i, f"{word} {i}", category, 0.97, reason="audit", audit_share=0.5).model_copy(
            update={"model_version": version}
        )
        for i, version in enumerate([serves] * 4 + ["another"] * 2)
    ]
    said = [
        Label(
            review_id=question.review.review_id,
            text=question.review.text,
            category=category,
            decided_by="person",
            labeller="anna",
            codebook_version="1",
            shown_blind=True,
        )
        for question in asked[1:]
    ]
    names = settings.topic_names
    for topic, events in ((names.relabel, asked), (names.labels, said)):
        await send(kafka, topic, [(b"key-%d" % i, encode(x)) for i, x in enumerate(events)])
    plan = Plan("counts", TrainConfig(), base=(), tell_workers=False)
    outcome = await asyncio.to_thread(retrain, settings, plan, train=count_keywords)
    audits = outcome.verdict.audits
    assert (audits.model, audits.asked, audits.decided) == (serves, 4, 3)
    assert (audits.candidate.published, audits.candidate.precision) == (1.0, 1.0)
    assert outcome.lineage.labels.audited == 3
    assert outcome.lineage.rows == len(KEYWORDS) + 2
    assert "worth 3 of equal weight" in "; ".join(outcome.verdict.reasons)


@pytest.mark.parametrize("promoted", [True, False])
async def test_after_a_change_of_the_taxonomy_the_candidate_is_judged_by_itself(
    settings, tmp_path, promoted
):
    told = []
    former = active_taxonomy().model_dump(by_alias=True) | {"none": None}
    registry = Registry(settings.learning.registry)
    with using(Taxonomy.model_validate(former)):
        write_weak_model(tmp_path / "weak")
        if promoted:
            record = registry.add(tmp_path / "weak", why="a test")
            registry.promote(record.number, why="a test")
    unstated = Unstated(tell=told.append)
    plan = Plan("counts", TrainConfig(), base=(), unstated=unstated, tell_workers=False)
    outcome = await asyncio.to_thread(retrain, settings, plan, train=count_keywords)
    assert "other categories" in told[0]
    assert outcome.verdict.passed, outcome.verdict.reasons
    assert outcome.verdict.serving is None
    assert registry.state().champion == outcome.record.number


async def test_a_run_that_ended_before_the_gate_is_judged_without_another_training(
    settings, monkeypatch
):
    plan = Plan("counts", TrainConfig(), base=(), tell_workers=False)

    def trained(family, dataset, folder, *more):
        count_keywords(family, dataset, folder, *more)
        made = {"family": family, "training_digest": dataset.digest}
        write_manifest(folder, read_manifest(folder).model_copy(update=made))

    def stopped(*_given, **_named):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("training.retrain.run.judge", stopped)
        with pytest.raises(MemoryError):
            await asyncio.to_thread(retrain, settings, plan, train=trained)
    outcome = await asyncio.to_thread(retrain, settings, plan, train=stopped)
    registry = Registry(settings.learning.registry)
    assert outcome.record.number == 2
    assert registry.state().champion == (2 if outcome.verdict.passed else 1)
    with pytest.raises(NothingToLearn, match="exactly these"):
        await asyncio.to_thread(retrain, settings, plan, train=stopped)
