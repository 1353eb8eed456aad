"""Acts as Kafka messages: topics, keys, headers.

Each keeps the number of its question's partition, so that all decisions about one review id stay in one
partition of each topic, in order.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas import (
    CategorizedReview,
    Event,
    Judgement,
    Label,
    TopicNames,
    cloud_event,
    encode,
)
from stream.exactly_once.message import Message
from stream.queue.acts import Act


def messages(act: Act, topics: TopicNames) -> Iterator[Message]:
    """Yield what an act publishes, the judgement first."""
    judgement = act.judgement
    undone = "-undone" if judgement.undone else ""
    act_id = f"{judgement.role}-{judgement.labeller}-{judgement.revision}{undone}"
    yield _message(act, topics.judgements, judgement, Judgement, act_id)
    if act.label is not None:
        yield _message(act, topics.labels, act.label, Label, f"label-{act.label.revision}")
    if act.categorized is not None:
        topic = topics.category(act.categorized.category)
        act_id = f"decision-{act.categorized.revision}"
        decided = _message(act, topic, act.categorized, CategorizedReview, act_id)
        decided.headers.extend(topics.category_headers(act.categorized.category))
        yield decided


def _message(act: Act, topic: str, event: Event, kind: type[Event], act_id: str) -> Message:
    review_id = act.task.review.review_id
    # Derived from the input's position: a reader behind a mirror can drop repetitions by it.
    event_id = f"{act.task.source}#{act_id}"
    return Message(
        topic=topic,
        key=review_id.encode("utf-8", "surrogatepass"),
        value=encode(event),
        headers=cloud_event(kind, event_id, review_id, act.judgement.decided_at),
    )
