"""Progress bars with their ETA on standard error, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from stream.cli.console import err

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Opens a bar (what, how many) and yields the function that advances it."""


@contextmanager
def bars() -> Iterator[Bar]:
    """Yield what opens a progress bar, one below the other."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("passed"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as display:

        @contextmanager
        def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
            task = display.add_task(what, total=total)
            yield lambda done: display.advance(task, done)

        yield bar
