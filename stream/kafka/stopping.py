"""Ending what may not hear that it is to end: one cancellation may get lost in a library.

aiokafka's fetcher, for one, takes its own cancellation for that of a fetch which it has just cancelled
and waits for, as whenever partitions are given away. It then goes on, and whoever stops the consumer
waits for it without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, Final

from stream.kafka.private import cancelled_tasks, client_of

CANCEL_AGAIN_SECONDS: Final = 1.0


async def cancel_until_over(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel tasks again and again until all of them have ended. What they raise then is dropped."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        ended, _ = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
        for task in ended:
            task.cancelled() or task.exception()  # asked for: else asyncio reports it


async def stop_surely(consumer: Any, stop: Coroutine[Any, Any, None]) -> None:
    """Stop a consumer of aiokafka's, whatever becomes of the cancellations of its tasks.

    Args:
        consumer: of aiokafka.
        stop: its own way to do it.
    """
    stopping = asyncio.create_task(stop, name="consumer stops")
    try:
        while not stopping.done():
            await asyncio.wait([stopping], timeout=CANCEL_AGAIN_SECONDS)
            for task in cancelled_tasks(consumer):
                task.cancel()
    finally:
        stopping.cancel()
    if stopping.cancelled():  # it raised the cancellation of a fetch that it had cancelled itself
        await client_of(consumer).close()  # what it did not come to
    else:
        stopping.result()
