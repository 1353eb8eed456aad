"""Timestamps of records as moments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_LAST_MILLISECOND: Final = 253_402_300_799_000


def moment_of(milliseconds: int) -> datetime:
    """Return a record's timestamp as a moment; the nearest one that can be named, if need be.

    A broken producer may stamp anything.
    """
    return datetime.fromtimestamp(min(max(milliseconds, 0), _LAST_MILLISECOND) / 1000, UTC)
