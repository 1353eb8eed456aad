"""Which topic an outcome goes to, and what is published there.

This is the hot path: every review passes through once. Events are therefore written as JSON from
parts that are fixed for a category or a batch, around the review's own serialisation; a test holds
the result against the pydantic models.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from schemas import (
    SCHEMA_VERSION,
    CategorizedReview,
    Event,
    Headers,
    RelabelTask,
    Review,
    SourcePosition,
    TopicNames,
    all_categories,
    cloud_event,
    trace_headers,
)
from schemas.headers import plain
from stream.exactly_once.message import Message
from stream.kafka.size_limits import SizeLimits, message_bytes
from stream.model.classifier import Classifier
from stream.privacy import Kind, redacted_review
from stream.worker.cache import CachedPrediction
from stream.worker.dead_letters import DeadLetterMaker, too_large_for
from stream.worker.input_event import InputEvent

_SOMEWHERE: Final = SourcePosition(topic="", partition=0, offset=0)


class Router:
    """Turns finished work into messages.

    Every output keeps its input's partition number (modulo the topic's count). All decisions about
    one review id thus stay in one partition, in order, and a transaction touches one partition a
    topic instead of all of them.

    Args:
        topics: names.
        group: the worker's, for dead letters.
        worker: its name, for dead letters.
        redacted: kinds of personal data that are masked in what waits for a label and in dead
            letters.
        limits: how large messages may be.
    """

    def __init__(
        self,
        topics: TopicNames,
        group: str,
        worker: str,
        *,
        redacted: Sequence[Kind] = (),
        limits: SizeLimits | None = None,
    ) -> None:
        self._topics = topics
        self._redacted = redacted
        self._limits = limits or SizeLimits()
        self._dead_letters = DeadLetterMaker(
            topics.dead_letter, group, worker, redacted, self._limits
        )
        self._category_topics = [topics.category(category) for category in all_categories()]
        self._category_headers = [
            topics.category_headers(category) for category in all_categories()
        ]
        kinds: tuple[type[Event], ...] = (CategorizedReview, RelabelTask)
        self._fixed_headers = {kind: _fixed_headers(kind) for kind in kinds}

    def route(self, event: InputEvent, now: datetime | None = None) -> Message:
        """Return the one message that an input event ends in.

        An outcome that its topic does not take is rejected here: a dead letter says so.

        Args:
            event: finished: it has a rejection, or a prediction and the model that made it.
            now: time of the decision; one for a whole batch will do.

        Raises:
            ValueError: the work is not finished.
        """
        if event.rejection is not None:
            return self._dead_letters.message(event, event.rejection)
        if event.prediction is None or event.review is None or event.model is None:
            raise ValueError(f"{event.source} was never classified")
        message = self._outcome(event, event.review, event.prediction, event.model, now)
        size = message_bytes(message.key, message.value, message.headers)
        if self._limits.allows(message.topic, size):
            return message
        event.rejection = too_large_for(message.topic, size)
        return self._dead_letters.message(event, event.rejection)

    def audit(
        self, event: InputEvent, chance: float, now: datetime | None = None
    ) -> Message | None:
        """Return the question whether a published review was decided rightly.

        None where the relabel topic does not take it: it is published all the same, and not asked about.

        Args:
            event: routed, and published.
            chance: with which it was drawn.
            now: as of :meth:`route`.
        """
        assert event.review is not None  # noqa: S101 - it was published
        assert event.prediction is not None  # noqa: S101 - likewise
        assert event.model is not None  # noqa: S101 - likewise
        time = (now or datetime.now(UTC)).isoformat()
        review = redacted_review(event.review, self._redacted) if self._redacted else event.review
        value = _relabel(event, review, event.prediction, event.model, time, chance)
        message = self._message(self._topics.relabel, RelabelTask, value, event, time)
        # Not the id of the review's own outcome: a reader that drops repetitions keeps both.
        message.headers[0] = ("ce_id", f"{event.source}#audit".encode())
        size = message_bytes(message.key, message.value, message.headers)
        return message if self._limits.allows(message.topic, size) else None

    def _outcome(
        self,
        event: InputEvent,
        review: Review,
        prediction: CachedPrediction,
        model: Classifier,
        now: datetime | None,
    ) -> Message:
        time = (now or datetime.now(UTC)).isoformat()
        if event.sure:
            value = _categorized(event, review, model, time)
            message = self._message(
                self._category_topics[event.best], CategorizedReview, value, event, time
            )
            message.headers.extend(self._category_headers[event.best])
            return message
        review = redacted_review(review, self._redacted) if self._redacted else review
        value = _relabel(event, review, prediction, model, time)
        return self._message(self._topics.relabel, RelabelTask, value, event, time)

    def _message(
        self, topic: str, kind: type[Event], value: str, event: InputEvent, time: str
    ) -> Message:
        assert event.review is not None  # noqa: S101 - route() checked
        # surrogatepass: whatever id was accepted must not stop its partition.
        key = event.review.review_id.encode("utf-8", "surrogatepass")
        tp = event.owner.tp
        headers = [
            ("ce_id", f"{tp.topic}[{tp.partition}]@{event.record.offset}".encode()),
            ("ce_subject", plain(key)),
            ("ce_time", time.encode()),
            *self._fixed_headers[kind],
            *trace_headers(event.record.headers),
        ]
        return Message(topic, key, value.encode(), headers)


def _categorized(event: InputEvent, review: Review, model: Classifier, time: str) -> str:
    return (
        f'{{"schema_version":{SCHEMA_VERSION},"review":{review.model_dump_json()}'
        f',"category":"{all_categories()[event.best]}","confidence":{event.confidence:.6f}'
        f',"decided_by":"model","decided_at":"{time}","revision":0'
        f',"model_version":"{model.version}","source":{_position(event)}}}'
    )


def _relabel(
    event: InputEvent,
    review: Review,
    prediction: CachedPrediction,
    model: Classifier,
    time: str,
    audit_share: float | None = None,
) -> str:
    """Write a question: about what is not published, or an audit, with the chance of its being one."""
    probabilities = ",".join(
        f'"{slug}":{min(probability, 1.0):.6f}'
        for slug, probability in zip(
            all_categories(), prediction.probabilities.tolist(), strict=True
        )
    )
    threshold = float(model.rule.thresholds[event.best])
    reason = "low-confidence" if audit_share is None else "audit"
    drawn = "" if audit_share is None else f',"audit_share":{audit_share!r}'
    held = ',"held":true' if event.category_held else ""
    strange = "null" if event.strange is None else f'"{event.strange}"'
    return (
        f'{{"schema_version":{SCHEMA_VERSION},"review":{review.model_dump_json()}'
        f',"probabilities":{{{probabilities}}},"reason":"{reason}"'
        f',"threshold":{min(threshold, 1.0):.6f},"strange":{strange}{held}{drawn}'
        f',"model_version":"{model.version}"'
        f',"queued_at":"{time}","source":{_position(event)}}}'
    )


def _position(event: InputEvent) -> str:
    # A topic's name holds nothing that JSON would escape: Kafka allows letters, digits, ._- only.
    tp = event.owner.tp
    return f'{{"topic":"{tp.topic}","partition":{tp.partition},"offset":{event.record.offset}}}'


def _fixed_headers(kind: type[Event]) -> Headers:
    changing = {"ce_id", "ce_subject", "ce_time"}
    sample = cloud_event(kind, str(_SOMEWHERE), "", datetime.now(UTC))
    return [(name, value) for name, value in sample if name not in changing]
