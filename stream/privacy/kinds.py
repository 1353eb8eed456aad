"""The kinds of personal data that can be masked."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["email", "phone", "card", "address", "passport", "snils", "account", "messenger"]

ALWAYS: Final[tuple[Kind, ...]] = ("email", "phone", "card", "address")
"""Masked unless set otherwise."""
