"""How a command that runs until it is stopped hears of it."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final, Self

import structlog

from stream.cli import INTERRUPTED

_FAILED: Final = 1
_TWICE_SECONDS: Final = 1.0
_HEARD: Final = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger(__name__)


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
        # A shell or `timeout` may send one stop twice; only a later Ctrl-C means "at once".
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


def _end_process(seconds: float) -> None:
    _log.error("process_did_not_end", seconds=seconds)
    faulthandler.dump_traceback()
    os._exit(_FAILED)
