"""`reviews retrain --trial`: what passed the gate is tried first; the champion stays."""

import asyncio

import pytest

from schemas import Label, ModelAnnouncement, all_categories, decode, encode
from stream.kafka.topics import create_topics
from tests.support.learning_loop import count_keywords, loop_settings, write_weak_model
from tests.support.pipeline import read_topic, send
from tests.support.tiny_model import KEYWORDS
from training.fit.config import TrainConfig
from training.registry.store import Registry
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
