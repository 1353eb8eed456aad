"""Micro-batches by token budget, with a linger that adapts to the load."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# Weight of the newest batch in the moving average of fullness: about the last five batches count.
_SMOOTHING: Final = 0.2
# Batches emptier than this mean that the worker keeps up: waiting would only add latency.
_IDLE_FULLNESS: Final = 0.05


class MicroBatcher(Generic[T]):
    """Collects items and closes a batch on token budget or row budget, in order of arrival.

    Pure bookkeeping without a clock; :class:`BatchQueue` adds the waiting.

    Args:
        max_cost: estimated word pieces of a batch. One item that costs more is a batch of its own.
        max_rows: items of a batch.
        linger: longest wait for a fuller batch, seconds.
        cost: gives an item's cost.
    """

    def __init__(
        self, max_cost: int, max_rows: int, linger: float, cost: Callable[[T], int]
    ) -> None:
        self._max_cost = max_cost
        self._max_rows = max_rows
        self._linger = linger
        self._cost = cost
        self._items: deque[T] = deque()
        self._total = 0
        self._fullness = 0.0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether waiting longer could not make the next batch fuller."""
        return self._total >= self._max_cost or len(self._items) >= self._max_rows

    @property
    def linger(self) -> float:
        """Seconds worth waiting for more: none when idle, up to the limit under load."""
        if self._fullness < _IDLE_FULLNESS:
            return 0.0
        return self._linger * self._fullness

    def add(self, items: Iterable[T]) -> None:
        """Append items."""
        for item in items:
            self._items.append(item)
            self._total += self._cost(item)

    def take(self) -> list[T]:
        """Remove and return the oldest items that fit the budgets; at least one if there is any."""
        batch: list[T] = []
        spent = 0
        while self._items and len(batch) < self._max_rows:
            cost = self._cost(self._items[0])
            if batch and spent + cost > self._max_cost:
                break
            batch.append(self._items.popleft())
            spent += cost
        self._total -= spent
        fullness = max(spent / self._max_cost, len(batch) / self._max_rows)
        self._fullness += _SMOOTHING * (min(fullness, 1.0) - self._fullness)
        return batch


class BatchQueue(Generic[T]):
    """A bounded buffer between intake and classification.

    It holds at most one full batch beyond the one being taken, so that a slow model pushes back to
    the broker: :meth:`put` waits, intake stops polling, the fetcher's own buffers fill.
    """

    def __init__(self, batcher: MicroBatcher[T]) -> None:
        self._batcher = batcher
        self._changed = asyncio.Condition()

    async def put(self, items: Iterable[T]) -> None:
        """Append items once the buffer has room for them."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._batcher.full)
            self._batcher.add(items)
            self._changed.notify_all()

    async def take(self) -> list[T]:
        """Return the next batch, waiting for the first item and then for the linger time."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._batcher) > 0)
            if not self._batcher.full and (linger := self._batcher.linger):
                try:
                    async with asyncio.timeout(linger):
                        await self._changed.wait_for(lambda: self._batcher.full)
                except TimeoutError:
                    pass  # as full as it gets
            batch = self._batcher.take()
            self._changed.notify_all()
            return batch
