"""One input event on its way through the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from aiokafka import ConsumerRecord

from schemas import ContractError, IncomingReader, Review, SourcePosition
from stream.exactly_once.input_record import InputRecord, Owner, held_bytes
from stream.kafka.reading import unreadable_in
from stream.model.classifier import Classifier
from stream.privacy import Kind, redact
from stream.text import fingerprint, normalize
from stream.worker.cache import CachedPrediction

# Russian word pieces are about four characters long; [CLS] and [SEP] come on top. The estimate only
# closes micro-batches; calls of the model are cut by true lengths.
CHARS_PER_TOKEN: Final = 4
SPECIAL_TOKENS: Final = 2
_READER: Final = IncomingReader()


class Rejection(NamedTuple):
    """Why an event goes to the dead-letter topic: a stable code, and a sentence."""

    code: str
    message: str


@dataclass(slots=True, eq=False)
class Work(InputRecord):
    """An input event, what it turned out to be, and what became of it."""

    arrived: float
    """When it was taken in, seconds of the monotonic clock."""
    review: Review | None = None
    text: str = ""
    """Normalised."""
    fingerprint: str = ""
    cost: int = 1
    """Estimated word pieces."""
    rejection: Rejection | None = None
    deleted: bool = False
    """It says that a review is gone: there is nothing to classify, and nothing is published."""
    unread_date: bool = False
    """Its date is in the review's metadata, as it was, since it could not be read."""
    model: Classifier | None = None
    """The model that is asked, fixed when the micro-batch is formed."""
    prediction: CachedPrediction | None = None
    best: int = 0
    """Id of the most probable category."""
    confidence: float = 0.0
    """Its probability."""
    sure: bool = False
    strange: str | None = None
    """Why the text is not published, though the model was sure of it."""
    audited: bool = False
    """It is published, and people are asked about it as well."""
    cached: bool = False

    @property
    def source(self) -> SourcePosition:
        """Where the event stands on its topic."""
        tp = self.lane.tp
        return SourcePosition.model_construct(
            topic=tp.topic, partition=tp.partition, offset=self.first_offset
        )


def take_in(
    lane: Owner,
    record: ConsumerRecord,
    arrived: float,
    *,
    redacted: Sequence[Kind] = (),
    reader: IncomingReader = _READER,
) -> Work:
    """Decode and normalise an input event. A bad one becomes a rejection, never an exception.

    Args:
        lane: that it came in by.
        record: as the broker gave it.
        arrived: monotonic seconds.
        redacted: kinds of personal data that the model, and so the cache, does not see.
        reader: knows what may stand on the topic.
    """
    work = Work(lane, lane.epoch, record, arrived, held=held_bytes(record))
    if (unreadable := unreadable_in(record)) is not None:
        work.rejection = Rejection(unreadable.code, unreadable.message)
        return work
    try:
        review, work.unread_date = reader.read(record.value, record.key)
    except ContractError as error:
        work.rejection = Rejection(error.code, str(error))
        return work
    if review is None:
        work.deleted = True
        return work
    work.review = review
    work.text = normalize(redact(review.text, redacted) if redacted else review.text)
    work.fingerprint = fingerprint(work.text)
    work.cost = len(work.text) // CHARS_PER_TOKEN + SPECIAL_TOKENS
    return work
