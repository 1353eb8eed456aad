"""A drawn sample in the review queue, so that several people decide it in the browser.

It goes under a prefix of its own. What people decide in a queue is published to the category topics of
that queue's prefix, and the reviews of a file are no part of the stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import KafkaError
from pydantic import ValidationError

from schemas import Category, RelabelTask, Review, SourcePosition, cloud_event, encode
from stream.kafka.clients import idempotent_producer
from stream.kafka.connection import start, unreachable
from stream.kafka.stopping import stop_producer
from stream.kafka.topic_creation import create_topics
from stream.settings import Settings
from training.data.files import Suggestion

ASKED_BY: Final = "reviews label validate"
"""What stands in the place of the model that was unsure."""


@dataclass(frozen=True, slots=True)
class QueuedSample:
    """What became of a sample.

    Attributes:
        sent: reviews that Kafka has.
        left_out: ids of those that the contract does not take: an id or a text is too long.
    """

    sent: int
    left_out: tuple[str, ...]


def tasks_of(
    sample: Sequence[Suggestion], file: str, precision: float, *, blind: bool
) -> Iterable[RelabelTask | str]:
    """Yield a task for each review, or its id where the contract does not take it.

    A suggestion is what the run said, with its confidence. Without either, or blind, there is none.

    Args:
        sample: as drawn.
        file: its name; it stands where other tasks name their place on Kafka.
        precision: what the run wanted of what it decides.
        blind: leave suggestions out.
    """
    for row in sample:
        suggested: dict[Category, float] = {}
        if not blind and row.guess is not None and row.confidence is not None:
            suggested = {row.guess: row.confidence} if 0.0 <= row.confidence <= 1.0 else {}
        try:
            yield RelabelTask(
                review=Review(review_id=row.item.id, text=row.item.text),
                probabilities=suggested,
                threshold=precision,
                model_version=ASKED_BY,
                source=SourcePosition(topic=f"file:{file}", partition=0, offset=row.number),
            )
        except ValidationError:
            yield row.item.id


async def queue_sample(
    settings: Settings, sample: Sequence[Suggestion], file: str, *, blind: bool
) -> QueuedSample:
    """Send a sample to the relabel topic of a queue, whose topics are created where absent.

    Sending it again changes nothing: what is decided stays decided, what waits waits once.

    Raises:
        BrokerError: Kafka did not take it; sending it again is safe.
    """
    await create_topics(settings)
    topic, left_out, sending = settings.topic_names.relabel, [], []
    producer: Any = idempotent_producer(settings.kafka)
    await start(producer, settings.kafka)
    try:
        for task in tasks_of(sample, file, settings.label.precision, blind=blind):
            if isinstance(task, str):
                left_out.append(task)
                continue
            review_id = task.review.review_id
            headers = cloud_event(RelabelTask, str(task.source), review_id, task.queued_at)
            key = review_id.encode("utf-8", "surrogatepass")
            sending.append(await producer.send(topic, encode(task), key=key, headers=headers))
        for sent in sending:
            await sent
    except (KafkaError, OSError) as error:
        raise unreachable(settings.kafka, error) from None
    finally:
        await stop_producer(producer)
    return QueuedSample(len(sending), tuple(left_out))
