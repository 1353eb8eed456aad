"""Which letters of a partition wait for a replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from stream.operations.replay_choice import Left

_ENDLESS: Final = 2**63


@dataclass(frozen=True, slots=True)
class Reached:
    """Which letters wait: all from a position on, and some before it."""

    position: int
    left: Left = field(default_factory=Left)

    def both(self, other: Reached) -> Reached:
        """Return what waits by both: a letter that was sent never waits again, whoever knows of it."""
        position = max(self.position, other.position)
        common = _common(self._waiting(), other._waiting(), position)
        return Reached(position, Left().replaced(0, position, common))

    def from_(self, beginning: int) -> Reached:
        """Return it on a topic that begins here."""
        return Reached(max(self.position, beginning), self.left.from_(beginning))

    def _waiting(self) -> list[tuple[int, int]]:
        return [*self.left, (self.position, _ENDLESS)]


def _common(
    ours: Sequence[tuple[int, int]], theirs: Sequence[tuple[int, int]], before: int
) -> Iterator[tuple[int, int]]:
    i = j = 0
    while i < len(ours) and j < len(theirs):
        first = max(ours[i][0], theirs[j][0])
        last = min(ours[i][1], theirs[j][1], before - 1)
        if first <= last:
            yield first, last
        if ours[i][1] < theirs[j][1]:
            i += 1
        else:
            j += 1
