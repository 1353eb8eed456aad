"""What stands in the place of records that cannot be given as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

HEAD_BYTES: Final = 1024

UnreadableCode = Literal["too-large", "unreadable-batch"]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One record above a bound, or a run of offsets whose bytes cannot be read.

    Attributes:
        code: ``too-large``, or ``unreadable-batch``.
        message: what is wrong, a sentence.
        first_offset: of the run.
        last_offset: of the run; the same for a single record.
        value_bytes: of the record's value, or of the batch as it is stored; None: no value.
        sha256: of the same bytes, in hexadecimal digits; empty if they were not all seen.
        head: the first KiB of them.
        key_bytes: of the record's key; None: no key.
        header_bytes: names and values of all headers.
    """

    code: UnreadableCode
    message: str
    first_offset: int
    last_offset: int
    value_bytes: int | None
    sha256: str
    head: bytes
    key_bytes: int | None = None
    header_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """A record as aiokafka's own parser gives it."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, Any]]
    checksum: int | None = None


# Its value is an object of this process: no producer can write one.
_MARK: Final = "unreadable"


def standing_for(
    unreadable: Unreadable, timestamp: int, timestamp_type: int, key: bytes | None = None
) -> ParsedRecord:
    """Return the record that is given instead: at the last offset, with an empty value.

    Not None: that would be a tombstone. Whoever does not ask :func:`mark_of` finds no event in it.
    """
    headers: list[tuple[str, Any]] = [(_MARK, unreadable)]
    return ParsedRecord(unreadable.last_offset, timestamp, timestamp_type, key, b"", headers)


def mark_of(headers: Any) -> Unreadable | None:
    """Return what a record with these headers stands for; None: it is what it is."""
    if len(headers) == 1 and isinstance(headers[0][1], Unreadable):
        return headers[0][1]
    return None
