"""How far event time has come: before the watermark nothing more is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable


class Watermark:
    """The event time that every partition which is not silent has passed, less some grace.

    Partitions run at their own pace, above all when a backlog is worked off: the slowest decides.
    A silent one is left out after a while, or it would hold windows open for ever. Source: Akidau
    et al., The Dataflow Model, 2015.

    Args:
        grace: seconds that late events are waited for.
        idle: seconds after which a partition counts as silent.
        clock: monotonic seconds; a test's own clock otherwise.
    """

    def __init__(
        self, grace: float, idle: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._grace = grace
        self._idle = idle
        self._clock = clock
        self._heard_at: dict[int, float] = {}
        self._event_time: dict[int, float] = {}
        self._value = 0.0

    def expect(self, partitions: Iterable[int]) -> None:
        """Wait for these partitions as if something had just come from each."""
        now = self._clock()
        self._heard_at |= dict.fromkeys(partitions, now)

    def observe(self, partition: int, event_time: float) -> None:
        """Note an event.

        Args:
            partition: where it came from.
            event_time: when it happened, seconds since 1970.
        """
        if not self._awake():
            # After a common silence, all have the same backlog: the first to speak must not
            # close the windows of the others.
            self.expect(self._heard_at)
        self._heard_at[partition] = self._clock()
        self._event_time[partition] = max(event_time, self._event_time.get(partition, 0.0))

    @property
    def value(self) -> float:
        """Seconds since 1970; it never goes back. 0: nothing can be said yet."""
        if speaking := self._awake() or self._spoke_last():
            slowest = min(self._event_time.get(partition, 0.0) for partition in speaking)
            self._value = max(self._value, slowest - self._grace)
        return self._value

    def _spoke_last(self) -> list[int]:
        """Return who spoke before all fell silent: what they said stands, whoever never spoke."""
        last = max((self._heard_at[p] for p in self._event_time), default=0.0)
        return [p for p in self._event_time if last - self._heard_at[p] <= self._idle]

    def _awake(self) -> list[int]:
        now = self._clock()
        return [p for p, heard_at in self._heard_at.items() if now - heard_at <= self._idle]
