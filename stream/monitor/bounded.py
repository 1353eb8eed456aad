"""Waiting for what may never end, and does not always end when it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
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
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Stopped
            return task.result()
        finally:
            stopping.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=_CLOSE_SECONDS)


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends, then cancel the others.

    Raises:
        Exception: what the first one raised.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)


async def ended_within(seconds: float, work: Coroutine[Any, Any, object]) -> bool:
    """Run something for a bounded time; tell whether it ended.

    What has not ended is cancelled and left behind. ``asyncio.timeout`` would wait for it: Faust's
    services take a cancellation for a word about a part of theirs, and go on.

    Raises:
        Exception: what ``work`` raised in time.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
    if not task.done():
        return False
    task.result()
    return True
