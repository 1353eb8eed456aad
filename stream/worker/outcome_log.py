"""What the log says of single reviews: ids, positions and traces, never a word of the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from stream.tracing import trace_fields
from stream.worker.input_event import Work

# A broken producer must not flood the log: the topic itself holds every dead letter.
MOST_DEAD_LETTERS: Final = 10

_log = structlog.get_logger(__name__)


def log_outcomes(works: Sequence[Work], *, every: bool) -> None:
    """Log a committed batch: its dead letters, and every decision if that is wanted."""
    dead = [work for work in works if work.rejection is not None]
    for work in dead[:MOST_DEAD_LETTERS]:
        assert work.rejection is not None  # noqa: S101 - just selected by it
        _log.warning("dead_letter", code=work.rejection.code, **_identity(work))
    if len(dead) > MOST_DEAD_LETTERS:
        _log.warning("further_dead_letters", count=len(dead) - MOST_DEAD_LETTERS)
    if every:
        for work in works:
            if work.prediction is not None and work.rejection is None:
                _log.debug(
                    "decided",
                    route="category" if work.sure else "relabel",
                    confidence=round(work.confidence, 4),
                    **_identity(work),
                )


def _identity(work: Work) -> dict[str, str]:
    key = work.record.key or b""
    # Of what could not be read, the key should be the id.
    review_id = work.review.review_id if work.review else key.decode("utf-8", "replace")
    named = {"review_id": review_id} if review_id else {}
    return {**named, "source": str(work.source), **trace_fields(work.record.headers)}
