"""One input event on its way through the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from aiokafka import ConsumerRecord, TopicPartition

from schemas import ContractError, IncomingReader, Review, SourcePosition
from stream.cache import CachedPrediction
from stream.classifier import Classifier
from stream.privacy import Kind, redact
from stream.reading import unreadable_in
from stream.text import fingerprint, normalize

# Russian word pieces are about four characters long; [CLS] and [SEP] come on top. The estimate only
# closes micro-batches; calls of the model are cut by true lengths.
CHARS_PER_TOKEN: Final = 4
SPECIAL_TOKENS: Final = 2
_READER: Final = IncomingReader()


class Rejection(NamedTuple):
    """Why an event goes to the dead-letter topic: a stable code, and a sentence."""

    code: str
    message: str


class Owner(Protocol):
    """What an event needs to know of the lane that took it in."""

    tp: TopicPartition
    epoch: int


@dataclass(slots=True, eq=False)
class Work:
    """An input event, what it turned out to be, and what became of it."""

    lane: Owner
    epoch: int
    """The lane's epoch when the event was read: once the lane moves on, the event is void."""
    record: ConsumerRecord
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
    held: int = 0
    """Bytes of the record, for as long as the event is on its way."""

    @property
    def stale(self) -> bool:
        """Whether the lane was lost or reset since: another delivery of the event will come."""
        return self.epoch != self.lane.epoch

    @property
    def first_offset(self) -> int:
        """Of the event, or of the run of offsets that it stands for."""
        unreadable = unreadable_in(self.record)
        return int(self.record.offset) if unreadable is None else unreadable.first_offset

    @property
    def source(self) -> SourcePosition:
        """Where the event stands on its topic."""
        tp = self.lane.tp
        return SourcePosition.model_construct(
            topic=tp.topic, partition=tp.partition, offset=self.first_offset
        )


def held_bytes(record: ConsumerRecord) -> int:
    """Return how much an input event keeps in memory, as far as a producer decides about it."""
    size = len(record.value or b"") + len(record.key or b"")
    if record.headers and unreadable_in(record) is None:
        size += sum(len(name) + len(value or b"") for name, value in record.headers)
    return size


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
