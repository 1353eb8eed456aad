"""Micro-batches by token budget, paced so that many small ones become one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class MicroBatcher(Generic[T]):
    """Collects items and closes a batch on token budget or row budget, in order of arrival.

    Pure bookkeeping without a clock; :class:`BatchQueue` adds the waiting.

    Args:
        max_cost: estimated word pieces of a batch. One item that costs more is a batch of its own.
        max_rows: items of a batch.
        cost: gives an item's cost.
    """

    def __init__(self, max_cost: int, max_rows: int, cost: Callable[[T], int]) -> None:
        self._max_cost = max_cost
        self._max_rows = max_rows
        self._cost = cost
        self._items: deque[T] = deque()
        self._total = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether waiting longer could not make the next batch fuller."""
        return self._total >= self._max_cost or len(self._items) >= self._max_rows

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
        return batch


class BatchQueue(Generic[T]):
    """A bounded buffer between intake and classification.

    It holds at most one full batch beyond the one being taken, so that a slow model pushes back to
    the broker: :meth:`put` waits, intake stops polling, the fetcher's own buffers fill.

    Every batch costs a transaction for each of its partitions, however small it is. Therefore the
    next one that is not full waits until ``linger`` has passed since the last one was taken: what
    comes alone is answered at once, and a steady trickle does not keep the broker busy.

    Args:
        batcher: says what fits together.
        linger: seconds from one batch to the next.
    """

    def __init__(self, batcher: MicroBatcher[T], linger: float) -> None:
        self._batcher = batcher
        self._linger = linger
        self._due = 0.0
        self._changed = asyncio.Condition()

    async def put(self, items: Iterable[T]) -> None:
        """Append items once the buffer has room for them."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._batcher.full)
            self._batcher.add(items)
            self._changed.notify_all()

    async def take(self) -> list[T]:
        """Return the next batch, waiting for the first item and then until it is due or full."""
        loop = asyncio.get_running_loop()
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._batcher) > 0)
            if not self._batcher.full and loop.time() < self._due:
                try:
                    async with asyncio.timeout_at(self._due):
                        await self._changed.wait_for(lambda: self._batcher.full)
                except TimeoutError:
                    pass  # as full as it gets
            self._due = loop.time() + self._linger
            batch = self._batcher.take()
            self._changed.notify_all()
            return batch
