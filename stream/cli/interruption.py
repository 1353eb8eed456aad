"""What a command that is stopped by Ctrl-C or SIGTERM says: what there is of its work, and what to do next."""

from __future__ import annotations

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
