"""Acts as Kafka messages: topics, keys, partitions, headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schemas import (
    CategorizedReview,
    Event,
    Headers,
    Judgement,
    Label,
    TopicNames,
    cloud_event,
    encode,
)
from stream.queue.acts import Act


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message and the input partition whose number it keeps.

    All decisions about one review id thus stay in one partition of each topic, in order.
    """

    topic: str
    source_partition: int
    key: bytes
    value: bytes
    headers: Headers


def messages(act: Act, topics: TopicNames) -> Iterator[Outgoing]:
    """Yield what an act publishes, the judgement first."""
    judgement = act.judgement
    undone = "-undone" if judgement.undone else ""
    act_id = f"{judgement.role}-{judgement.labeller}-{judgement.revision}{undone}"
    yield _outgoing(act, topics.judgements, judgement, Judgement, act_id)
    if act.label is not None:
        yield _outgoing(act, topics.labels, act.label, Label, f"label-{act.label.revision}")
    if act.categorized is not None:
        topic = topics.category(act.categorized.category)
        act_id = f"decision-{act.categorized.revision}"
        decided = _outgoing(act, topic, act.categorized, CategorizedReview, act_id)
        decided.headers.extend(topics.category_headers(act.categorized.category))
        yield decided


def _outgoing(act: Act, topic: str, event: Event, kind: type[Event], act_id: str) -> Outgoing:
    review_id = act.task.review.review_id
    # Derived from the input's position: a reader behind a mirror can drop repetitions by it.
    event_id = f"{act.task.source}#{act_id}"
    return Outgoing(
        topic=topic,
        source_partition=act.task.source.partition,
        key=review_id.encode("utf-8", "surrogatepass"),
        value=encode(event),
        headers=cloud_event(kind, event_id, review_id, act.judgement.decided_at),
    )
