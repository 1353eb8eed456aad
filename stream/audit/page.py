"""A page of measured precision: a table, intervals drawn beside it, and windows one after another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

from stream.audit.precision import Measured, title_of
from stream.reports.pages import render

_TEMPLATE: Final = Path(__file__).with_name("page.html")


def page(
    found: Sequence[Measured],
    over_time: Sequence[tuple[date, Sequence[Measured]]],
    broken: Sequence[Measured],
    promised: float | None,
    made_at: datetime,
) -> str:
    """Return the page as HTML; it holds no texts of reviews and loads nothing.

    Args:
        found: precision by category, all of them last.
        over_time: the same by window, with its first day.
        broken: categories whose promise is not kept.
        promised: precision; None: nothing was promised.
        made_at: when the audits were read.
    """
    return render(
        _TEMPLATE,
        found=found,
        over_time=over_time,
        broken=broken,
        promised=promised,
        made_at=f"{made_at:%Y-%m-%d %H:%M} UTC",
        title_of=title_of,
        others=lambda one: ", ".join(f"{title_of(said)} {n}" for said, n in one.taken_for),
        least=_least(found, promised),
    )


def _least(found: Sequence[Measured], promised: float | None) -> float:
    """Return where the drawn scale begins: a tenth below the lowest interval."""
    lows = [one.low for one in found if one.decided]
    return max(min([*lows, promised or 1.0]) // 0.1 * 0.1, 0.0)
