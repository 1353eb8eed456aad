"""Tables of categories on the page of figures: all of a few; of many the foremost, and the rest in sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas import Category, all_categories
from stream.queue.agreement import Agreement
from stream.queue.statistics import Report
from stream.queue.web.choices import has_many

FOREMOST: Final = 15
"""Rows that can be read without looking for them."""
_MIXED_UP: Final = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a category was chosen, and how much waits that the model takes for it."""

    category: Category
    chosen: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Tables:
    """What the page shows by category.

    Attributes:
        foremost: the rows to be read first; all of them while there are few categories.
        others: what the foremost leave out.
        agreed: agreement by category, None for "cannot tell"; of many, least agreed on first.
        agreed_others: likewise, beyond the foremost.
        mixed_up: two answers to one review, and how often, most often first; only of many categories.
    """

    foremost: list[Counted]
    others: list[Counted]
    agreed: list[tuple[Category | None, Agreement]]
    agreed_others: list[tuple[Category | None, Agreement]]
    mixed_up: list[tuple[Category | None, Category | None, int]]


def tables(report: Report) -> Tables:
    """Return the tables of a report."""
    counted = [
        Counted(category, report.chosen.get(category, 0), report.by_guess[category])
        for category in all_categories()
    ]
    agreed = list(report.categories.items())
    if not has_many():
        return Tables(counted, [], agreed, [], [])
    counted.sort(key=lambda row: (-row.chosen, -row.waiting))
    agreed.sort(key=lambda row: _kappa(row[1]))
    # One category alone is no sum.
    shown = FOREMOST if len(counted) > FOREMOST + 1 else len(counted)
    return Tables(
        counted[:shown],
        counted[shown:],
        agreed[:FOREMOST],
        agreed[FOREMOST:],
        report.mixed_up[:_MIXED_UP],
    )


def _kappa(found: Agreement) -> float:
    return 1.0 if found.kappa is None else found.kappa
