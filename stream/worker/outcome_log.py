"""What the log says of single reviews: ids, positions and traces, never a word of the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from stream.tracing import trace_fields
from stream.worker.input_event import InputEvent

# A broken producer must not flood the log: the topic itself holds every dead letter.
MOST_DEAD_LETTERS: Final = 10

_log = structlog.get_logger(__name__)


def log_outcomes(events: Sequence[InputEvent], *, every: bool) -> None:
    """Log a committed batch: its dead letters, and every decision if that is wanted."""
    dead = [event for event in events if event.rejection is not None]
    for event in dead[:MOST_DEAD_LETTERS]:
        assert event.rejection is not None  # noqa: S101 - just selected by it
        _log.warning("dead_letter", code=event.rejection.code, **_identity(event))
    if len(dead) > MOST_DEAD_LETTERS:
        _log.warning("further_dead_letters", count=len(dead) - MOST_DEAD_LETTERS)
    if every:
        for event in events:
            if event.prediction is not None and event.rejection is None:
                _log.debug(
                    "decided",
                    route="category" if event.sure else "relabel",
                    confidence=round(event.confidence, 4),
                    **_identity(event),
                )


def _identity(event: InputEvent) -> dict[str, str]:
    key = event.record.key or b""
    # Of what could not be read, the key should be the id.
    review_id = event.review.review_id if event.review else key.decode("utf-8", "replace")
    named = {"review_id": review_id} if review_id else {}
    return {**named, "source": str(event.source), **trace_fields(event.record.headers)}
