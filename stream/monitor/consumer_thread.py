"""Faust's consumer thread, made to end.

Faust reads Kafka in a thread with an event loop of its own, and both loops wait for each other: the
thread waits while the application handles a rebalance, the application waits for positions, fetches
and commits, and, with its loop blocked, for the thread's end. Whoever is stopped first leaves the
other waiting for ever. Here each wait ends as soon as the other side does, and nobody blocks a loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode.threads import WorkerThread

from stream.kafka.stopping import stop_surely
from stream.monitor.bounded import ended_within

# For calls that still wait in the thread's queue.
_QUEUE_SECONDS: Final = 2.0
_CANCEL_AGAIN_SECONDS: Final = 0.1
_LOOK_AGAIN_SECONDS: Final = 0.01

_log = structlog.get_logger(__name__)


class _Thread(WorkerThread):
    """Mode's thread; the process does not wait for it, and no loop is blocked until it ends."""

    service: BoundedConsumerThread

    def __init__(self, service: BoundedConsumerThread, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True

    def run(self) -> None:
        try:
            super().run()
        except (asyncio.CancelledError, RuntimeError):
            # It was cancelled, or its loop was stopped under it.
            if not self.service.abandoned:
                raise
        finally:
            self.service.thread_ended()

    def stop(self) -> None:
        """Do nothing: mode would block the application's loop, which the thread may wait for."""


class BoundedConsumerThread(AIOKafkaConsumerThread):
    """The thread as a service of the application."""

    Worker = _Thread
    # Mode would wait a minute for a word that a thread which was cancelled never gives.
    wait_for_shutdown = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.abandoned = False
        """Whether it was told to end without finishing anything."""
        self._ended = asyncio.Event()
        self._promises: set[asyncio.Future[Any]] = set()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    async def stop(self) -> None:
        """Tell the thread to end, also while it starts, and wait for it."""
        if self._thread is None:
            self._stopped.set()
            return
        self._tell(self._stopped.set)
        await self._ended.wait()

    async def abandoned_within(self, seconds: float) -> bool:
        """Cancel whatever the thread does until it ends; tell whether it did.

        Args:
            seconds: after half of them its loop is stopped, whatever is left in it.
        """
        self.abandoned = True
        self._stopped.set()
        if not self.alive:
            self.thread_loop.close()  # a thread that never ran has not closed it
            return True
        self._tell(self._cancel_all)
        if not await ended_within(seconds / 2, self._ended.wait()):
            self._tell(self.thread_loop.stop)
        return await ended_within(seconds / 2, self._gone())

    def thread_ended(self) -> None:
        """Let the application know; called in the thread."""
        with contextlib.suppress(RuntimeError):  # its loop has ended as well
            self.parent_loop.call_soon_threadsafe(self._fail_promises)

    async def call_thread(
        self, fun: Callable[..., Awaitable[Any]], *args: Any, **options: Any
    ) -> Any:
        """Call something in the thread and return what it returned.

        Raises:
            ConsumerStoppedError: the thread ended before.
        """
        if self._ended.is_set():
            raise ConsumerStoppedError
        promise = self.parent_loop.create_future()
        self._promises.add(promise)
        promise.add_done_callback(self._promises.discard)
        try:
            await self.method_queue.call(promise, fun, *args, **options)
        except RuntimeError:  # the loop has closed a moment ago
            raise ConsumerStoppedError from None
        return await promise

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Let the application finish with partitions; called by the group's coordinator."""
        await self._unless_stopped(super().on_partitions_revoked(revoked))

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        """Let the application take partitions; called by the group's coordinator."""
        await self._unless_stopped(super().on_partitions_assigned(assigned, generation_id))

    async def on_thread_stop(self) -> None:
        """Finish what was asked for and leave the group; called in the thread."""
        queue, consumer = self._method_queue, self._consumer
        if queue is not None and not await ended_within(_QUEUE_SECONDS, queue.stop()):
            _log.warning("calls_left_behind", seconds=_QUEUE_SECONDS)
        if consumer is not None:
            await stop_surely(consumer, consumer.stop())

    def close(self) -> None:
        """Do nothing: Faust would close the connections in the application's loop, not in theirs."""

    async def _gone(self) -> None:
        """Wait for the thread's last instructions, which come after its word that it ends."""
        await self._ended.wait()
        while self.alive:  # noqa: ASYNC110 - a join would block the loop
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        # An application that has stopped may never answer, and the coordinator waits for it.
        await self.wait(work)

    def _tell(self, word: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # its loop has closed
            self.thread_loop.call_soon_threadsafe(word)

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks(self.thread_loop):
            task.cancel()
        # Mode takes a cancellation for a word about one of the things that it waits for.
        self.thread_loop.call_later(_CANCEL_AGAIN_SECONDS, self._cancel_all)

    def _fail_promises(self) -> None:
        self._ended.set()
        for promise in list(self._promises):
            if not promise.done():
                promise.set_exception(ConsumerStoppedError())
