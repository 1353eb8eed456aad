"""What a decision about a relabel task publishes: a label, and the review under its category."""

from __future__ import annotations

from datetime import datetime

from schemas import CategorizedReview, Event, Label, RelabelTask, TopicNames, cloud_event, encode
from stream.exactly_once.message import Message
from training.relabeller.deciding import Decision

# 0 is the worker's own decision; people begin at 2, so that theirs hold over the ensemble's.
REVISION = 1


def messages(
    task: RelabelTask, decision: Decision, topics: TopicNames, codebook_version: str, at: datetime
) -> list[Message]:
    """Return the two messages of a decision; they belong into one transaction.

    Args:
        task: what was decided about.
        decision: the verdict.
        topics: names.
        codebook_version: by which rules it was decided.
        at: time of the decision.
    """
    label = Label(
        review_id=task.review.review_id,
        text=task.review.text,
        category=decision.category,
        decided_by=decision.decided_by,
        decided_at=at,
        labeller=decision.labeller,
        codebook_version=codebook_version,
        confidence=decision.confidence,
        revision=REVISION,
        model_version=task.model_version,
        ensemble_version=decision.ensemble,
        source=task.source,
    )
    review = CategorizedReview(
        review=task.review,
        category=decision.category,
        confidence=decision.confidence,
        decided_by=decision.decided_by,
        decided_at=at,
        revision=REVISION,
        model_version=task.model_version,
        source=task.source,
    )
    decided = _message(topics.category(decision.category), review, task, at)
    decided.headers.extend(topics.category_headers(decision.category))
    return [_message(topics.labels, label, task, at), decided]


def _message(topic: str, event: Event, task: RelabelTask, at: datetime) -> Message:
    review_id = task.review.review_id
    # Derived from the input's position: a reader behind a mirror can drop repetitions by it.
    event_id = f"{task.source}#ensemble-{REVISION}"
    headers = cloud_event(type(event), event_id, review_id, at)
    return Message(topic, review_id.encode("utf-8", "surrogatepass"), encode(event), headers)
