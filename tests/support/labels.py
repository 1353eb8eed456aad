"""Labels of one review or two, for rules about which of them holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas import Category, DecidedBy, Label

START = datetime(2026, 1, 1, tzinfo=UTC)


def label(
    category: Category | None = Category("kids"),
    by: DecidedBy = "person",
    revision: int = 1,
    minutes: int = 0,
    review_id: str = "r",
    **more: Any,
) -> Label:
    """Return a label that was given so many minutes after :data:`START`."""
    return Label(
        review_id=review_id,
        text="сапоги малы",
        category=category,
        decided_by=by,
        labeller=by,
        codebook_version="1",
        revision=revision,
        decided_at=START + timedelta(minutes=minutes),
        model_version="m",
        **more,
    )
