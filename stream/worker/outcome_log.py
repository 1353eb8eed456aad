"""What the log says of single reviews: ids, positions and traces, never a word of the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from schemas import IncomingReader
from stream.tracing import trace_fields
from stream.worker.input_event import InputEvent

# A broken producer must not flood the log: the topic itself holds every dead letter.
MOST_DEAD_LETTERS: Final = 10

_log = structlog.get_logger(__name__)


def log_outcomes(events: Sequence[InputEvent], reader: IncomingReader, *, every: bool) -> None:
    """Log a committed batch: its dead letters, and every decision if that is wanted.

    Args:
        events: of the batch.
        reader: tells the id in what could not be read as a review.
        every: whether single decisions are wanted.
    """
    dead = [event for event in events if event.rejection is not None]
    for event in dead[:MOST_DEAD_LETTERS]:
        assert event.rejection is not None  # noqa: S101 - just selected by it
        _log.warning("dead_letter", code=event.rejection.code, **_identity(event, reader))
    if len(dead) > MOST_DEAD_LETTERS:
        _log.warning("further_dead_letters", count=len(dead) - MOST_DEAD_LETTERS)
    if every:
        for event in events:
            if event.prediction is not None and event.rejection is None:
                _log.debug(
                    "decided",
                    route="category" if event.sure else "relabel",
                    confidence=round(event.confidence, 4),
                    **_identity(event, reader),
                )


def _identity(event: InputEvent, reader: IncomingReader) -> dict[str, str]:
    if event.review is not None:
        review_id: str | None = event.review.review_id
    else:
        review_id = reader.named(event.record.value or b"", event.record.key)
    named = {"review_id": review_id} if review_id else {}
    return {**named, "source": str(event.source), **trace_fields(event.record.headers)}
