"""How a command that runs until it is stopped hears of it."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import threading
from typing import Final

import structlog

_FAILED: Final = 1

_log = structlog.get_logger(__name__)


class StopSignals:
    """SIGTERM and Ctrl-C as an event, instead of an exception in the middle of something.

    Make it while the event loop runs.

    Args:
        ends_within: seconds that the process may take to end after the first signal. Then it is ended,
            with a log line and the stacks of all threads. None: it may take as long as it needs.
    """

    def __init__(self, ends_within: float | None = None) -> None:
        self.stop = asyncio.Event()
        """Set by the first signal."""
        self.first: signal.Signals | None = None
        """Which it was."""
        self._ends_within = ends_within
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self.first is None and self._ends_within is not None:
            # A thread: the loop may be what does not end.
            timer = threading.Timer(self._ends_within, _end_process, (self._ends_within,))
            timer.daemon = True
            timer.start()
        self.first = self.first or number
        self.stop.set()


def _end_process(seconds: float) -> None:
    _log.error("process_did_not_end", seconds=seconds)
    faulthandler.dump_traceback()
    os._exit(_FAILED)
