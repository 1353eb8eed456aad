"""How soon the queue may be restored again: a Redis that evicts all the time would never let it rest."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

# So many within so long are an accident, or a person who tries; more are a Redis that does not keep things.
MOST: Final = 50
WITHIN_SECONDS: Final = 300.0
LONG_PAUSE_SECONDS: Final = 10.0


class Restorations:
    """The latest times that everything was read from Kafka again.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: deque[float] = deque(maxlen=MOST)

    def begin(self) -> None:
        """Note that one begins now."""
        self._begun.append(self._clock())

    @property
    def are_too_many(self) -> bool:
        """Whether the next one should wait for :data:`LONG_PAUSE_SECONDS`."""
        begun = self._begun
        return len(begun) == MOST and self._clock() - begun[0] < WITHIN_SECONDS
