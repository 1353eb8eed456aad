"""Progress bars with their ETA on standard error, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from stream.cli.console import err

if TYPE_CHECKING:
    from training.fit.config import Progress as Stages

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Opens a bar (what, how many) and yields the function that advances it."""


@contextmanager
def bars() -> Iterator[Bar]:
    """Yield what opens a progress bar, one below the other."""
    with _display() as display:

        @contextmanager
        def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
            task = display.add_task(what, total=total)
            yield lambda done: display.advance(task, done)

        yield bar


@contextmanager
def stage_bars() -> Iterator[Stages]:
    """Yield what a training reports its progress to: a bar a stage."""
    with _display() as display:
        tasks: dict[str, TaskID] = {}

        def progress(stage: str, done: int, total: int) -> None:
            # "fold 1 of 3: epoch 2, loss 0.31" is one bar a fold, not one a step.
            name = stage.split("epoch ", maxsplit=1)[0].rstrip(": ") or "training"
            if name not in tasks:
                tasks[name] = display.add_task(stage, total=total)
            display.update(tasks[name], completed=done, total=total, description=stage)

        yield progress


def _display() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("passed"),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
    )
