"""Which dead letters a replay sends back, and which it leaves for a later one."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas import MAX_EVENT_BYTES
from stream.clients.consumer import DeadLetter
from stream.errors import InputError
from stream.kafka.size_limits import RecordsTooLarge

# Kafka keeps 4,096 bytes with an offset (`offset.metadata.max.bytes`).
MOST_NOTE_BYTES: Final = 4_000
NOTE_TOO_LONG: Final = "*"
"""Stands for a note that would be longer. Replays of earlier versions read nothing left in it."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are wanted; all that is not given holds for every letter."""

    codes: frozenset[str] = frozenset()
    """Of what was wrong."""
    keys: frozenset[bytes] = frozenset()
    since: datetime | None = None
    """When the original was sent, with a time zone."""
    until: datetime | None = None
    again: bool = False
    """Also those that were sent back before and failed for the same reason."""

    def holds(self, letter: DeadLetter) -> bool:
        """Tell whether a letter is wanted, whatever became of it before."""
        sent = letter.reason.timestamp_ms / 1000
        return (
            (not self.codes or letter.reason.code in self.codes)
            and (not self.keys or letter.key in self.keys)
            and (self.since is None or sent >= self.since.timestamp())
            and (self.until is None or sent < self.until.timestamp())
        )


def mark_of(letter: DeadLetter) -> bytes:
    """Return what two letters share that are the same message and failed for the same reason."""
    mark = hashlib.blake2b(letter.reason.code.encode(), digest_size=16)
    for part in (letter.key, letter.value):
        mark.update(b"-" if part is None else b"%d:" % len(part) + part)
    return mark.digest()


def too_much_left(refused: RecordsTooLarge, sent: int) -> InputError:
    """Return what to say of more letters left out than can be remembered.

    Args:
        refused: the record of them, by us or by a broker.
        sent: letters that were sent before.
    """
    remedy = "replay all of them (--again: also what came back), or leave out fewer kinds at a time"
    if refused.size <= MAX_EVENT_BYTES:
        remedy = f"raise max.message.bytes of {refused.topic}, or {remedy}"
    return InputError(
        "more letters would be left out, here and there, than can be remembered; "
        f"{sent:,} were sent before, and will not be again",
        remedy,
    )


class Left:
    """Offsets before a position whose letters were left out, as ranges: first and last.

    An offset between two of them that is no letter, such as a transaction's end, may be among them: it
    keeps a range whole.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._ranges = sorted(ranges)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Left) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(tuple(self._ranges))

    def __contains__(self, offset: int) -> bool:
        # Asked for each letter of a pass, of up to fifteen thousand ranges.
        after = bisect_right(self._ranges, offset, key=_first)
        return after > 0 and offset <= self._ranges[after - 1][1]

    def from_(self, beginning: int) -> Left:
        """Return what is left of it on a topic that begins here: the rest is gone."""
        return Left((max(f, beginning), last) for f, last in self._ranges if last >= beginning)

    def before(self, position: int) -> Left:
        """Return what is left of it before a position."""
        return Left((f, min(last, position - 1)) for f, last in self._ranges if f < position)

    def replaced(self, first: int, last: int, by: Iterable[tuple[int, int]]) -> Left:
        """Return it with all between two offsets, both included, replaced by some ranges."""
        kept = list(by)
        for begin, end in self._ranges:
            if begin < first:
                kept.append((begin, min(end, first - 1)))
            if end > last:
                kept.append((max(begin, last + 1), end))
        merged: list[tuple[int, int]] = []
        for begin, end in sorted(kept):
            if merged and begin <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((begin, end))
        return Left(merged)

    def to_note(self) -> str:
        """Return it as a text that Kafka keeps with an offset: distances in base 36.

        :data:`NOTE_TOO_LONG`: they are too many apart from one another.
        """
        at, parts = 0, []
        for first, last in self._ranges:
            parts.append(
                f"{_base36(first - at)}+{_base36(last - first)}"
                if last > first
                else _base36(first - at)
            )
            at = last
        note = ",".join(parts)
        return note if len(note) <= MOST_NOTE_BYTES else NOTE_TOO_LONG

    @classmethod
    def from_note(cls, note: str) -> Left:
        """Read it back; a note that is none of ours says nothing."""
        at = 0
        ranges: list[tuple[int, int]] = []
        try:
            for part in filter(None, note.split(",")):
                distance, _, length = part.partition("+")
                first, more = at + int(distance, 36), int(length or "0", 36)
                if first < at + bool(ranges) or more < 0:
                    return cls()
                at = first + more
                ranges.append((first, at))
        except ValueError:
            return cls()
        return cls(ranges)


def _first(ends: tuple[int, int]) -> int:
    return ends[0]


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
