"""Windows of event time: tumbling ones side by side, hopping ones that overlap."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas import Category, CategoryWindow, DecidedBy, all_categories
from stream.monitor.bucket import Bucket, Tally
from stream.monitor.decisions import Decided
from stream.monitor.references import Drift


@dataclass(frozen=True, slots=True)
class WindowKind:
    """How long windows are and how far apart they begin, seconds. Equal: tumbling."""

    length: int
    hop: int

    def ends_in(self, moments: Iterable[float], after: float, until: float) -> list[int]:
        """Return the ends in ``(after, until]`` of windows that hold one of some moments, in order.

        A record may be dated 1970 or 2099: what lies between is not walked through.
        """
        ends: set[int] = set()
        for moment in moments:
            first = (math.floor(max(moment, after) / self.hop) + 1) * self.hop
            last = min(moment + self.length, until)
            ends.update(range(first, math.floor(last) + 1, self.hop))
        return sorted(ends)

    def open_at(self, event_time: float) -> tuple[int, int]:
        """Return start and end of the newest window that holds a moment."""
        start = int(event_time // self.hop) * self.hop
        return start, start + self.length


def category_windows(
    start: int, end: int, batches: Bucket, decided: Decided, drift: Drift, *, final: bool
) -> list[CategoryWindow]:
    """Return the statistics of all categories over one window.

    Args:
        start: seconds since 1970.
        end: likewise, exclusive.
        batches: what the workers did within.
        decided: what people and the ensemble decided within.
        drift: of the whole window; it is the same for every category.
        final: no later event can change it.
    """
    return [
        CategoryWindow(
            category=category,
            window_start=_moment(start),
            window_end=_moment(end),
            rate_per_second=tally.reviews / (end - start),
            published=tally.published,
            relabelled=tally.relabelled,
            mean_confidence=min(tally.confidence / tally.reviews, 1.0) if tally.reviews else None,
            relabel_share=tally.relabelled / tally.reviews if tally.reviews else None,
            decided_by=_deciders(category, tally, decided),
            mix_psi=drift.mix_psi,
            mix_js=drift.mix_js,
            confidence_psi=drift.confidence_psi,
            final=final,
        )
        for category in all_categories()
        for tally in (batches.categories.get(category.slug, Tally()),)
    ]


def _deciders(category: Category, tally: Tally, decided: Decided) -> dict[DecidedBy, int]:
    others = decided.categories.get(category.slug, {})
    counts: dict[DecidedBy, int] = {"model": tally.published} if tally.published else {}
    return counts | others


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
