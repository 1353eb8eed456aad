"""How far positions may be committed: up to the first event that was handed on and not taken in."""

from __future__ import annotations

from collections import deque

from aiokafka import TopicPartition


class Positions:
    """Follows events from the consumer to the one who takes them in.

    Faust acknowledges an event that it skips, for instance one that its stream has in hand when the
    application begins to stop, and would commit a position after it: it would never be counted.
    """

    def __init__(self) -> None:
        self._handed_on: dict[TopicPartition, deque[int]] = {}

    def handed_on(self, tp: TopicPartition, offset: int) -> None:
        """Note that an event is on its way. One that comes again takes the place of the first."""
        waiting = self._handed_on.setdefault(tp, deque())
        while waiting and waiting[-1] >= offset:
            waiting.pop()
        waiting.append(offset)

    def took_in(self, tp: TopicPartition, offset: int) -> None:
        """Note that an event has changed all that it changes."""
        waiting = self._handed_on.get(tp, deque())
        if waiting and waiting[0] == offset:
            waiting.popleft()
        elif offset in waiting:
            waiting.remove(offset)

    def committable(self, tp: TopicPartition, position: int) -> int:
        """Return the position, or that of the first event which was not taken in."""
        waiting = self._handed_on.get(tp)
        return min(position, waiting[0]) if waiting else position
