"""Every outcome becomes one message, and the fast JSON is the contract's JSON."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from schemas import (
    CategorizedReview,
    DeadLetterReason,
    RelabelTask,
    Review,
    SourcePosition,
    TopicNames,
    all_categories,
    cloud_event,
    decode,
)
from stream.worker.cache import CachedPrediction
from stream.worker.dead_letters import Rejection
from stream.worker.input_event import InputEvent
from stream.worker.routing import Router

TOPICS = TopicNames("shop")
ROUTER = Router(TOPICS, group="workers", worker="w1")
MODEL = SimpleNamespace(
    version="0123456789abcdef", rule=SimpleNamespace(thresholds=np.full(9, 0.9, np.float32))
)


@dataclass
class FixedLane:
    tp: TopicPartition = field(default_factory=lambda: TopicPartition("shop.incoming", 2))
    epoch: int = 1


def record(value=b"{}", key=b"r1", offset=7):
    return SimpleNamespace(
        key=key, value=value, offset=offset, timestamp=1_700_000_000_000, headers=(("trace", b"1"),)
    )


def classified(review, best=2, confidence=0.95, *, sure=True):
    probabilities = np.full(9, (1 - confidence) / 8, np.float32)
    probabilities[best] = confidence
    event = InputEvent(FixedLane(), 1, record(), 0.0, review=review)
    event.prediction = CachedPrediction(probabilities, tokens=5, unknown=0)
    event.model, event.best, event.confidence, event.sure = MODEL, best, confidence, sure
    return event


REVIEWS = st.builds(
    Review,
    review_id=st.text(min_size=1, max_size=20),
    text=st.text(max_size=80).map(lambda text: "т" + text),
    metadata=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)


@given(REVIEWS, st.integers(0, 8), st.floats(0.2, 1.0))
def test_a_sure_review_is_published_as_the_contract_says(review, best, confidence):
    message = ROUTER.route(classified(review, best, confidence))
    event = decode(CategorizedReview, message.value)
    assert message.topic == TOPICS.category(all_categories()[best])
    assert event.review == review
    assert event.category == all_categories()[best]
    assert event.confidence == pytest.approx(confidence, abs=1e-6)
    assert event.source == SourcePosition(topic="shop.incoming", partition=2, offset=7)
    assert (event.decided_by, event.revision) == ("model", 0)


@given(REVIEWS, st.integers(0, 8), st.floats(0.2, 0.9))
def test_an_unsure_review_is_queued_with_all_probabilities(review, best, confidence):
    message = ROUTER.route(classified(review, best, confidence, sure=False))
    event = decode(RelabelTask, message.value)
    assert message.topic == TOPICS.relabel
    assert event.review == review
    assert max(event.probabilities, key=event.probabilities.__getitem__) == all_categories()[best]
    assert sum(event.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert event.threshold == pytest.approx(0.9)


def test_headers_are_those_of_the_contract():
    review = Review(review_id="отзыв", text="платье")
    message = ROUTER.route(classified(review))
    event = decode(CategorizedReview, message.value)
    wanted = cloud_event(CategorizedReview, "shop.incoming[2]@7", "отзыв", event.decided_at)
    assert sorted(message.headers) == sorted(wanted)


def test_a_rejected_message_keeps_its_bytes_key_and_headers():
    event = InputEvent(FixedLane(), 1, record(value=b"\xff", key=b"k"), 0.0)
    event.rejection = Rejection("not-json", "the value is not UTF-8")
    message = ROUTER.route(event)
    assert (message.topic, message.key, message.value) == (TOPICS.dead_letter, b"k", b"\xff")
    assert ("trace", b"1") in message.headers


def test_a_rejected_message_says_why_and_where_it_stood():
    event = InputEvent(FixedLane(), 1, record(value=b"\xff"), 0.0)
    event.rejection = Rejection("not-json", "the value is not UTF-8")
    reason = DeadLetterReason.from_headers(ROUTER.route(event).headers)
    assert (reason.code, reason.message) == ("not-json", "the value is not UTF-8")
    assert str(reason.source) == "shop.incoming[2]@7"


def test_unfinished_work_is_never_published():
    with pytest.raises(ValueError, match="never classified"):
        ROUTER.route(InputEvent(FixedLane(), 1, record(), 0.0))
