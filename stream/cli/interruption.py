"""How a command that is stopped by Ctrl-C or SIGTERM ends: what it says of its work, and its exit status."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.markup import escape

from stream.cli import INTERRUPTED
from stream.cli.console import note


@contextmanager
def told_if_interrupted(what_is_left: Callable[[], str]) -> Iterator[None]:
    """Say what is left of the body's work when it is interrupted, and end the command.

    Args:
        what_is_left: called then; returns what was written, and what to do next.
    """
    try:
        yield
    except KeyboardInterrupt:
        note(f"[yellow]stopped: {escape(what_is_left())}[/yellow]")
        raise typer.Exit(INTERRUPTED) from None


def exit_as_stopped(by: signal.Signals | None) -> None:
    """End a command that served until it was stopped.

    To SIGTERM a server's orderly end is no failure: a supervisor that sent it reads status 0.

    Args:
        by: the signal that stopped it; None: none did.

    Raises:
        typer.Exit: Ctrl-C did.
    """
    if by == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)
