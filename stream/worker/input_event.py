"""One input event on its way through the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import ConsumerRecord

from schemas import ContractError, IncomingReader, Review, SourcePosition
from stream.exactly_once.input_record import InputRecord, Owner, held_bytes
from stream.kafka.reading import unreadable_in
from stream.model.classifier import Classifier
from stream.privacy import Kind, redact
from stream.text import fingerprint, normalize
from stream.worker.cache import CachedPrediction
from stream.worker.dead_letters import Rejection, source_of

# Russian word pieces are about four characters long; [CLS] and [SEP] come on top. The estimate only
# closes micro-batches; calls of the model are cut by true lengths.
CHARS_PER_TOKEN: Final = 4
SPECIAL_TOKENS: Final = 2
_READER: Final = IncomingReader()


@dataclass(slots=True, eq=False)
class InputEvent(InputRecord):
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
    category_held: bool = False
    """It is not published, though the model was sure of it, since its category is held."""
    audited: bool = False
    """It is published, and people are asked about it as well."""
    cached: bool = False

    @property
    def source(self) -> SourcePosition:
        """Where the event stands on its topic."""
        return source_of(self)


def decode_event(
    owner: Owner,
    record: ConsumerRecord,
    arrived: float,
    *,
    redacted: Sequence[Kind] = (),
    reader: IncomingReader = _READER,
) -> InputEvent:
    """Decode and normalise an input event. A bad one becomes a rejection, never an exception.

    Args:
        owner: the partition processor that took it in.
        record: as the broker gave it.
        arrived: monotonic seconds.
        redacted: kinds of personal data that the model, and so the cache, does not see.
        reader: knows what may stand on the topic.
    """
    event = InputEvent(owner, owner.epoch, record, arrived, held=held_bytes(record))
    if (unreadable := unreadable_in(record)) is not None:
        event.rejection = Rejection(unreadable.code, unreadable.message)
        return event
    try:
        review, event.unread_date = reader.read(record.value, record.key, record.headers)
    except ContractError as error:
        event.rejection = Rejection(error.code, str(error))
        return event
    if review is None:
        event.deleted = True
        return event
    event.review = review
    event.text = normalize(redact(review.text, redacted) if redacted else review.text)
    event.fingerprint = fingerprint(event.text)
    event.cost = len(event.text) // CHARS_PER_TOKEN + SPECIAL_TOKENS
    return event
