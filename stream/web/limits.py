"""How often something may happen: a sliding window per key, in this process's memory.

Several servers count apart: a limit then holds per server.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

# A flood of made-up names must not fill the memory.
_MOST_KEYS: Final = 10_000


class Limit:
    """At most ``most`` events of one key within ``seconds``.

    Args:
        most: events that are let through.
        seconds: length of the window.
        clock: monotonic seconds.
    """

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._events: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are counted."""
        return len(self._events)

    def is_reached(self, key: str) -> bool:
        """Return whether the key has no event left now."""
        events = self._recent(key)
        return events is not None and len(events) >= self._most

    def note(self, key: str) -> None:
        """Count one event. Of too many keys, the one whose latest event is oldest is forgotten."""
        self._events.setdefault(key, deque(maxlen=self._most)).append(self._clock())
        self._events.move_to_end(key)
        if len(self._events) > _MOST_KEYS:
            self._events.popitem(last=False)

    def allows(self, key: str) -> bool:
        """Count an event, unless the limit is reached; return whether it may happen."""
        if self.is_reached(key):
            return False
        self.note(key)
        return True

    def _recent(self, key: str) -> deque[float] | None:
        events = self._events.get(key)
        while events and events[0] <= self._clock() - self._seconds:
            events.popleft()
        return events
