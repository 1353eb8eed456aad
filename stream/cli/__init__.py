"""The command line, ``reviews``. One module per command; heavy imports wait inside functions."""

from __future__ import annotations

import os
import signal
from typing import Final, NoReturn

__all__ = ["INTERRUPTED", "TERMINATED", "main"]

INTERRUPTED: Final = 130
"""Exit status of what Ctrl-C ended, as shells have it."""
TERMINATED: Final = 143
"""And of what SIGTERM ended."""


def main() -> NoReturn:
    """Run the command line; never returns.

    Until all commands are loaded, Ctrl-C ends the process at once: an exception would come out of
    whichever module is being imported, and not always as itself.
    """
    usual = signal.getsignal(signal.SIGINT)
    # Where it is ignored, as under nohup, it stays so.
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from stream.cli.app import main as run

    run(on_loaded=lambda: signal.signal(signal.SIGINT, usual))
