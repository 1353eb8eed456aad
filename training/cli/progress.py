"""Progress on standard error: bars with their ETA on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final

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

LINE_SECONDS: Final = 30.0
"""Where no bar can be drawn, a stage that goes on says so this often."""
GOES_ON: Final = "the same command goes on after the last finished epoch"
"""What the interruption of a training by epochs leaves."""
Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Opens a bar (what, how many) and yields the function that advances it."""


@contextmanager
def bars() -> Iterator[Bar]:
    """Yield what opens a progress bar, one below the other."""
    lines = _Lines()
    with _display() as display:

        @contextmanager
        def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
            task = display.add_task(what, total=total)
            passed = 0

            def advance(done: int) -> None:
                nonlocal passed
                passed += done
                display.advance(task, done)
                lines.tell(what, what, passed, total)

            lines.tell(what, what, 0, total)
            yield advance

        yield bar


@contextmanager
def stage_bars() -> Iterator[Stages]:
    """Yield what a training reports its progress to: a bar a stage."""
    with _display() as display:
        tasks: dict[str, TaskID] = {}
        lines = _Lines()

        def progress(stage: str, done: int, total: int) -> None:
            # "fold 1 of 3: epoch 2, loss 0.31" is one bar a fold, not one a step.
            name = stage.split("epoch ", maxsplit=1)[0].rstrip(": ") or "training"
            if name not in tasks:
                tasks[name] = display.add_task(stage, total=total)
            display.update(tasks[name], completed=done, total=total, description=stage)
            lines.tell(name, stage, done, total)

        yield progress


class _Lines:
    """What a log file gets instead of bars: each stage's beginning and end, and a line a while."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._told_at = 0.0

    def tell(self, name: str, what: str, done: int, total: int) -> None:
        """Say how far a stage is, unless it was said just now or a bar says it."""
        now = time.monotonic()
        is_new = name not in self._began
        began = self._began.setdefault(name, now)
        due = is_new or done >= total or now - self._told_at >= LINE_SECONDS
        if err.is_terminal or not due:
            return
        self._told_at = now
        passed = now - began
        left = f", {passed / done * (total - done):.0f} s left" if 0 < done < total else ""
        line = f"{what}: {done:,}/{total:,}, {passed:.0f} s passed{left}"
        err.print(line, markup=False, soft_wrap=True, highlight=False)


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
