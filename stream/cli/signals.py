"""How a command that runs until it is stopped hears of it."""

from __future__ import annotations

import asyncio
import signal


class StopSignals:
    """SIGTERM and Ctrl-C as an event, instead of an exception in the middle of something.

    Make it while the event loop runs.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        """Set by the first signal."""
        self.first: signal.Signals | None = None
        """Which it was."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        self.first = self.first or number
        self.stop.set()
