"""Moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(milliseconds: int) -> str:
    """Return a moment of Kafka's clock, UTC.

    >>> moment(1_700_000_000_000)
    '2023-11-14 22:13:20'
    """
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S}"
