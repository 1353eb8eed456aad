"""How the pipeline stands at the broker: who is behind, and by how much."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from stream.kafka.lag import LagProbe, PartitionLag

__all__ = ["BrokerView", "LagProbe"]

# Two looks a second for half an hour would be more than a chart can show: one in two seconds.
_REMEMBERED: Final = 3600


@dataclass(slots=True)
class BrokerView:
    """What the broker said last, and what it said before."""

    partitions: dict[int, PartitionLag] = field(default_factory=dict)
    """How the workers stand, by input partition; empty: the broker has not answered."""
    asked_at: float | None = None
    """Seconds since 1970; None: it did not answer, or not the last time."""
    last_batch_at: float | None = None
    """When the last summary arrived here, seconds since 1970."""
    past: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """Moment, lag and backlog."""

    @property
    def lags(self) -> dict[int, int]:
        """Events that are not answered, by input partition."""
        return {number: partition.lag for number, partition in self.partitions.items()}

    @property
    def lag(self) -> int | None:
        """Events that are not answered; None: the broker did not say."""
        return None if self.asked_at is None else sum(self.lags.values())

    @property
    def held(self) -> list[PartitionLag]:
        """Partitions whose readers wait for a transaction that stays open."""
        return [p for p in self.partitions.values() if p.transaction is not None]

    def silence(self, now: float, since: float) -> float | None:
        """Return for how long no worker has finished a batch though reviews wait.

        Args:
            now: seconds since 1970.
            since: when we began to listen.
        """
        if self.asked_at is None:
            return None
        # What an open transaction holds back is no worker's fault.
        if not any(partition.readable for partition in self.partitions.values()):
            return 0.0
        return now - max(self.last_batch_at or since, since)

    def answered(self, partitions: Iterable[PartitionLag], backlog: int, now: float) -> None:
        """Note an answer of the broker."""
        self.partitions = {partition.partition: partition for partition in partitions}
        self.asked_at = now
        self.past.append((now, sum(self.lags.values()), backlog))
