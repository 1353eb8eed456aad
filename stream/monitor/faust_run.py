"""One run of a Faust application, which ends in bounded time whatever state it is in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

import faust
import mode
import structlog

from stream.monitor.bounded import ended_within
from stream.monitor.broker import CommittedConsumer, FlushingProducer

# Together 10 of the 15 seconds that a monitor may take to end. Idle it needs less than one; on two
# loaded cores three. With a broker that does not answer, all of it.
_STOP_SECONDS: Final = 6.0
_THREAD_SECONDS: Final = 2.0
_PRODUCER_SECONDS: Final = 1.0
_TASKS_SECONDS: Final = 1.0
_CANCEL_AGAIN_SECONDS: Final = 0.1
_HOMES: Final = tuple(str(Path(str(package.__file__)).parent) for package in (faust, mode))

_log = structlog.get_logger(__name__)


class RunCancelled(Exception):
    """Faust was cancelled, and by nobody who wants it to end: it loses its way in a rebalance now and then."""


class FaustRun:
    """Runs an application. Use as ``async with``; nothing of it is left afterwards.

    Faust starts and stops a tree of services that wait for each other in two event loops and take a
    cancellation for a word about one of their parts. So neither its start nor its stop is waited for
    without a bound, and what has not ended by then is cancelled until it does: threads, connections,
    tasks. Nothing is lost by it: the state is on Kafka, and what is delivered again counts once.

    Args:
        app: with our transport (:mod:`stream.monitor.broker`).
    """

    def __init__(self, app: faust.App) -> None:
        self._app = app
        self._starting: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Self:
        """Begin to start; :meth:`wait` says when it failed."""
        self._app.finalize()
        self._starting = asyncio.create_task(self._app.maybe_start(), name="faust starts")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not await self._stopped():
            _log.warning(
                "faust_did_not_stop",
                seconds=_STOP_SECONDS,
                unacknowledged=self._producer.unacknowledged,
                waiting_in=_places(),
            )
        await self._abandon()

    async def wait(self) -> None:
        """Return when the application has crashed or stopped.

        Raises:
            RunCancelled: nobody told it to end; another run may begin.
            Exception: what kept it from starting.
        """
        assert self._starting is not None  # noqa: S101 - __aenter__() made it
        ended = asyncio.create_task(self._app.wait_until_stopped(), name="faust")
        try:
            await asyncio.wait({self._starting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if self._starting.cancelled():
                raise RunCancelled
            if self._starting.done():
                self._starting.result()
            await asyncio.wait({ended})
            if ended.cancelled():
                raise RunCancelled
            ended.result()
        finally:
            ended.cancel()

    @property
    def _producer(self) -> FlushingProducer:
        return cast("FlushingProducer", self._app.producer)

    async def _stopped(self) -> bool:
        """Stop as Faust does; tell whether it came to an end in time."""
        stopping = asyncio.create_task(self._app.stop(), name="faust stops")
        tasks = {task for task in (stopping, self._starting) if task is not None}
        _, waiting = await asyncio.wait(tasks, timeout=_STOP_SECONDS)
        for task in tasks - waiting:
            # Asked for, else asyncio reports it. What kept Faust from starting, wait() has said; a stop
            # that comes before it has started makes it fail.
            error = None if task.cancelled() else task.exception()
            if task is stopping and error is not None:
                _log.warning("faust_stopped_badly", error=repr(error))
        return not waiting

    async def _abandon(self) -> None:
        """End whatever is left: usually nothing but waits that mode forgot."""
        thread = cast("CommittedConsumer", self._app.consumer).thread
        if not await thread.abandoned_within(_THREAD_SECONDS):
            _log.error("faust_thread_left_behind")
        with contextlib.suppress(Exception):
            await ended_within(_PRODUCER_SECONDS, self._producer.abandon())
        async with _deadline(_TASKS_SECONDS):
            while tasks := set(_tasks()):
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks, timeout=_CANCEL_AGAIN_SECONDS)


@contextlib.asynccontextmanager
async def _deadline(seconds: float) -> Any:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        _log.error("faust_tasks_left_behind", waiting_in=_places())


def _tasks() -> Iterator[asyncio.Task[Any]]:
    """Return the tasks of this loop that Faust or mode made."""
    for task in asyncio.all_tasks():
        code = getattr(task.get_coro(), "cr_code", None)
        if code is not None and code.co_filename.startswith(_HOMES):
            yield task


def _places() -> list[str]:
    """Return where Faust's tasks wait, for the log: the innermost function of each."""
    return sorted({_innermost(task.get_coro()) for task in _tasks()})


def _innermost(awaited: Any) -> str:
    name = "?"
    while awaited is not None:
        name = getattr(awaited, "__qualname__", name)
        awaited = getattr(awaited, "cr_await", None)
    return name
