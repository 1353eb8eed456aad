"""Waiting for what may never end, and does not always end when it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any, Final, TypeVar

# For closing what was open. Nothing is waited for then but an event loop that has much to do.
_CLOSE_SECONDS: Final = 2.0

_Result = TypeVar("_Result")


class Stopped(Exception):
    """It was told to stop before it came to an end by itself."""


class Until:
    """Does one thing after the other, until an event says that it is enough.

    Args:
        stop: the event.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    async def stopped_or(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Return what the work returned.

        Raises:
            Stopped: the event came first. The work was cancelled, and is left behind where it does
                not end by that: libraries below us lose a cancellation now and then.
            Exception: what the work raised.
        """
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stop.wait())
        async with _cancelled_at_last([task, stopping], _CLOSE_SECONDS):
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Stopped
            return task.result()


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends, then cancel the others.

    Raises:
        Exception: what the first one raised.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    async with _cancelled_at_last(tasks, _CLOSE_SECONDS):
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def ended_within(seconds: float, work: Coroutine[Any, Any, object]) -> bool:
    """Run something for a bounded time; tell whether it ended.

    What has not ended is cancelled and left behind. ``asyncio.timeout`` would wait for it: Faust's
    services take a cancellation for a word about a part of theirs, and go on.

    Raises:
        Exception: what ``work`` raised in time.
    """
    task = asyncio.ensure_future(work)
    async with _cancelled_at_last([task], 0):
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            task.result()
        return task.done()


@contextlib.asynccontextmanager
async def _cancelled_at_last(
    tasks: Iterable[asyncio.Future[Any]], seconds: float
) -> AsyncIterator[None]:
    """Cancel what has not ended by the end of the block, and wait so long for that to do."""
    try:
        yield
    finally:
        waiting = {task for task in tasks if not task.done()}
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)
