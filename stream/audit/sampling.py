"""Which published reviews are audited: by hash, with a chance that is known for each."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from typing import Final

from stream.sampling import AUDIT, fraction
from stream.settings import AuditSettings

WEEK: Final = 7 * 24 * 3600
# What is owed is spread over the reviews of about so long: not the next ones of a burst alone.
_SPREAD_SECONDS: Final = 3600.0
# Of a week's audits so many are owed at once. A worker that starts again has forgotten what it drew, and
# rather draws too many; and what is spread is always a little late.
_OWED_AT_ONCE: Final = 1 / 7


@dataclass(slots=True)
class _Category:
    """One category as this process has seen it this week."""

    began: float
    seen_at: float
    drawn: int = 0
    recent: float = 0.0
    """Published reviews, fading over :data:`_SPREAD_SECONDS`."""


class AuditSample:
    """Draws the sample of one worker.

    A review is drawn if its hash, 0 to 1, lies below its chance. The chance depends on what was
    published and drawn before, never on the review itself, so that one over it is the review's weight
    (Horvitz and Thompson, JASA 47, 1952); it travels with the question.

    Args:
        settings: share of all, least number a category and week, key of the hash.
        clock: seconds since 1970.
    """

    def __init__(self, settings: AuditSettings, clock: Callable[[], float] = time.time) -> None:
        self._share = settings.share
        self._per_week = settings.per_week
        self._clock = clock
        # Not to be foreseen: a producer that knew the sample would choose ids that are never in it.
        key = settings.key.get_secret_value() if settings.key else secrets.token_hex(16)
        self._purpose = f"{AUDIT}:{key}"
        self._categories: dict[int, _Category] = {}

    @property
    def draws(self) -> bool:
        """Whether anything is to be audited at all."""
        return bool(self._share or self._per_week)

    def drawn(self, review_id: str, category: int, portion: float = 1.0) -> float | None:
        """Return with which chance a published review was drawn; None: it was not.

        Args:
            review_id: the review.
            category: its id, as published.
            portion: share of the whole stream that this worker sees, 0 to 1: it draws so much of the
                week's least number.
        """
        if not self._per_week:
            chance = self._share
        else:
            chance = max(self._share, self._owed(category, portion))
        if not fraction(review_id, self._purpose) < chance:
            return None
        if self._per_week:
            self._categories[category].drawn += 1
        return chance

    def _owed(self, category: int, portion: float) -> float:
        """Count a published review; return the chance by which the week's number is reached."""
        now = self._clock()
        known = self._categories.get(category)
        if known is None or now - known.began >= WEEK:
            known = self._categories[category] = _Category(began=now, seen_at=now)
        known.recent = known.recent * exp((known.seen_at - now) / _SPREAD_SECONDS) + 1.0
        known.seen_at = now
        elapsed = now - known.began
        due = self._per_week * portion * min(elapsed / WEEK + _OWED_AT_ONCE, 1 + _OWED_AT_ONCE)
        return min(max(due - known.drawn, 0.0) / known.recent, 1.0)
