"""How a command hears that it is to end."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Self, TypeVar

import structlog

from stream.cli import INTERRUPTED, TERMINATED

_FAILED: Final = 1
# A shell or `timeout` may send one stop twice.
_TWICE_SECONDS: Final = 1.0
_HEARD: Final = (signal.SIGTERM, signal.SIGINT)

T = TypeVar("T")
_log = structlog.get_logger(__name__)


def interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work in an event loop of its own; Ctrl-C ends it whenever it comes.

    ``asyncio.run`` alone may miss it: Python runs a signal's handler between two instructions, and a signal
    that comes after the last one before the loop waits would be handled when something else wakes the loop.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the work was cancelled and has ended.
    """

    async def woken() -> T:
        with _woken_by_signals():
            return await work

    return asyncio.run(woken())


@contextmanager
def _woken_by_signals() -> Iterator[None]:
    """Wake the running loop by any signal: what catches it in C writes a byte that the loop waits for."""
    loop = asyncio.get_running_loop()
    read, written = socket.socketpair()
    with read, written:
        read.setblocking(False)
        written.setblocking(False)
        loop.add_reader(read, read.recv, 4096)
        usual = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            woken = signal.set_wakeup_fd(usual)
            if woken != written.fileno():  # StopSignals listen, to the end of the process
                signal.set_wakeup_fd(woken)
            loop.remove_reader(read)


class StopSignals:
    """SIGTERM and Ctrl-C as an event, instead of an exception in the middle of something.

    Make it while the event loop runs. As a context it holds until the context ends: then the bound is
    lifted, and signals are what they were to the loop. Otherwise it holds to the end of the process.

    Args:
        ends_within: seconds that the process may take to end after the first signal. Then it is ended,
            with a log line and the stacks of all threads. None: it may take as long as it needs.
        on_first: called with the first signal.
        again_ends: whether a later Ctrl-C ends the process at once.
    """

    def __init__(
        self,
        ends_within: float | None = None,
        on_first: Callable[[signal.Signals], object] = lambda _: None,
        *,
        again_ends: bool = True,
    ) -> None:
        self.stop = asyncio.Event()
        """Set by the first signal."""
        self.first: signal.Signals | None = None
        """Which it was."""
        self._ends_within = ends_within
        self._on_first = on_first
        self._again_ends = again_ends
        self._heard_at = 0.0
        self._timer: threading.Timer | None = None
        self._loop = asyncio.get_running_loop()
        for number in _HEARD:
            self._loop.add_signal_handler(number, self._on_signal, number)

    def __enter__(self) -> Self:
        """Return itself: it listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more, and let the process take its time."""
        for number in _HEARD:
            self._loop.remove_signal_handler(number)
        if self._timer is not None:
            self._timer.cancel()

    @property
    def _may_end_at_once(self) -> bool:
        later = time.monotonic() - self._heard_at > _TWICE_SECONDS
        return later and self._again_ends

    def _on_signal(self, number: signal.Signals) -> None:
        if self.first is None and self._ends_within is not None:
            # A thread: the loop may be what does not end.
            self._timer = threading.Timer(self._ends_within, _end_process, (self._ends_within,))
            self._timer.daemon = True
            self._timer.start()
        if self.first is None:
            self.first, self._heard_at = number, time.monotonic()
            self._on_first(number)
        elif number == signal.SIGINT and self._may_end_at_once:
            _log.warning("ended_at_once", signal=number.name)
            os._exit(INTERRUPTED)
        self.stop.set()


class SigtermAsCtrlC:
    """As a context: SIGTERM does what Ctrl-C does, so that a command ends itself and says what it did.

    A later SIGTERM ends the process at once. Where :class:`StopSignals` listen, they hear it instead.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._usual: Any = None
        self._heard_at: float | None = None

    def __enter__(self) -> Self:
        """Listen, unless somebody else does, or SIGTERM is ignored."""
        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            self._usual = signal.signal(signal.SIGTERM, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        if self._usual is not None:
            signal.signal(signal.SIGTERM, self._usual)

    def status(self, status: Any) -> Any:
        """Return the exit status of a command: what was interrupted by SIGTERM says so."""
        return TERMINATED if status == INTERRUPTED and self._heard_at is not None else status

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a fork has nothing to say
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if self._heard_at is None:
            self._heard_at = time.monotonic()
            interrupt = signal.getsignal(signal.SIGINT)
            if not callable(interrupt):  # ignored, as in what a script runs in the background
                raise KeyboardInterrupt
            interrupt(signal.SIGINT, frame)
        elif time.monotonic() - self._heard_at > _TWICE_SECONDS:
            os._exit(TERMINATED)


def _end_process(seconds: float) -> None:
    _log.error("process_did_not_end", seconds=seconds)
    faulthandler.dump_traceback()
    os._exit(_FAILED)
