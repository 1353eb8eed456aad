"""Ending what may not hear that it is to end: one cancellation may get lost in a library.

aiokafka's fetcher, for one, takes its own cancellation for that of a fetch which it has just cancelled
and waits for, as whenever partitions are given away. It then goes on, and whoever stops the consumer
waits for it without end. Nor does a consumer that is stopped end before its group's coordinator is found
and has answered: a broker that is frozen does neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

from stream.kafka.private import (
    abort_connections,
    cancelled_tasks,
    client_of,
    leave_group,
    sender_of,
    tasks_of,
)

CANCEL_AGAIN_SECONDS: Final = 1.0
# All that a consumer has to say is that it leaves its group. Members that say nothing are missed after the
# session's ten seconds, so that more patience would gain nobody anything.
_STOP_SECONDS: Final = 2.0
# Once more, where it was a join that was waited for and not the broker.
_LEAVE_SECONDS: Final = 1.0
GIVE_UP_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


async def cancel_until_over(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel tasks again and again until all of them have ended. What they raise then is dropped."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        ended, _ = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
        for task in ended:
            task.cancelled() or task.exception()  # asked for: else asyncio reports it


async def unless_stopped(
    work: Coroutine[Any, Any, object], stop: asyncio.Event, grace: float = 0.0
) -> bool:
    """Wait for work to be done, or for ``stop``; the work is cancelled then. Tell whether it was done.

    Args:
        work: what is waited for.
        stop: it is given up when this is set.
        grace: seconds that it has after that.

    Raises:
        Exception: what the work raised. Whoever could not catch up must not go on as if it had.
    """
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([working], timeout=grace)
        if working.done():
            working.result()
        return working.done()
    finally:
        await cancel_until_over((working, stopping))


async def cancelled_surely(work: Coroutine[Any, Any, None]) -> None:
    """Do work that is to end when whoever waits for it is cancelled, though it may not hear that.

    Args:
        work: what is waited for; it is cancelled until it is over.

    Raises:
        Exception: what the work raised.
    """
    working = asyncio.create_task(work)
    try:
        await asyncio.wait([working])
    finally:
        await cancel_until_over([working])
    working.result()


async def stop_surely(consumer: Any, stop: Coroutine[Any, Any, None]) -> None:
    """Stop a consumer of aiokafka's in bounded time, whatever becomes of the cancellations of its tasks.

    Args:
        consumer: of aiokafka.
        stop: its own way to do it.
    """
    stopping = asyncio.create_task(stop, name="consumer stops")
    loop = asyncio.get_running_loop()
    until = loop.time() + _STOP_SECONDS
    try:
        while not stopping.done() and loop.time() < until:
            await asyncio.wait([stopping], timeout=CANCEL_AGAIN_SECONDS)
            for task in cancelled_tasks(consumer):
                task.cancel()
    except asyncio.CancelledError:
        await _let_go(consumer, stopping)
        raise
    if not stopping.done():
        await cancel_until_over([stopping, *tasks_of(consumer)])
        await _leave(consumer)
        await _let_go(consumer, stopping)
    elif stopping.cancelled():  # it raised the cancellation of a fetch that it had cancelled itself
        await client_of(consumer).close()  # what it did not come to
    else:
        stopping.result()


async def _leave(consumer: Any) -> None:
    leaving = asyncio.create_task(leave_group(consumer), name="consumer leaves its group")
    ended, _ = await asyncio.wait([leaving], timeout=_LEAVE_SECONDS)
    if not ended:
        _log.warning("group_not_left", reason="its coordinator does not answer")
    await cancel_until_over([leaving])


async def _let_go(consumer: Any, stopping: asyncio.Task[None]) -> None:
    """End what a consumer still does, and close its connections without waiting for a broker."""
    await cancel_until_over([stopping, *tasks_of(consumer)])
    client = client_of(consumer)
    abort_connections(client)
    await client.close()


async def stop_producer(producer: Any, seconds: float = GIVE_UP_SECONDS) -> None:
    """Stop a producer of aiokafka's; what is not acknowledged in time is given up.

    Args:
        producer: of aiokafka.
        seconds: in which it may deliver what it has. The usual ones are for whoever has waited before for
            each message, or does not want to any more.
    """
    try:
        async with asyncio.timeout(seconds):
            await producer.stop()
    except (TimeoutError, KafkaError, AssertionError):
        # stop() flushes, and a wedged flush never ends: close what is below it.
        sender = sender_of(producer)
        if sender is not None and sender.sender_task is not None:
            await cancel_until_over([sender.sender_task])
        abort_connections(producer.client)
        await producer.client.close()
