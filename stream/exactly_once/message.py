"""What a transaction publishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Headers: TypeAlias = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Message:
    """One record to be published. It keeps the partition number of the input that it answers."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
