"""Which of all labels of a review holds: the one rule for queue, export, monitor and retraining.

The highest revision holds. Of equal ones a person's before the ensemble's, the ensemble's before an
LLM's, an LLM's before a model's; then the later. If the label that holds is withdrawn, nothing does,
and the review waits again. It does not matter in which order labels are seen, how often, or how many of
them at a time: whoever keeps only the highest so far comes to the same result.

Revisions are given so that this is fair: the worker's own decision is 0, automatic labellers publish 1,
people begin at 2, and each act of theirs is one above what holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.events import DecidedBy, Label

RANK: Final[dict[DecidedBy, int]] = {"person": 3, "ensemble": 2, "llm": 1, "model": 0}
"""Who is believed when labels of one revision differ."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def precedence(label: Label) -> str:
    """Return what a label is compared by: of two the greater string holds.

    Digits and hexadecimal only, of one length below a revision of 10^10, so that a Lua script, a
    database and Python compare it alike, whatever the language of the machine.
    """
    at = label.decided_at if label.decided_at.tzinfo else label.decided_at.replace(tzinfo=UTC)
    micros = max((at - _EPOCH) // _MICROSECOND, 0)
    # Equal in all else: any order will do that is the same everywhere.
    rest = hashlib.sha256(label.model_dump_json().encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{label.revision:010d}.{RANK[label.decided_by]}.{micros:018d}.{rest}"


def highest(labels: Iterable[Label]) -> dict[str, Label]:
    """Return by review id the label that holds, withdrawn ones among them: there nothing holds."""
    found: dict[str, Label] = {}
    for label in labels:
        known = found.get(label.review_id)
        if known is None or precedence(label) > precedence(known):
            found[label.review_id] = label
    return found
