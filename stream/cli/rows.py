"""Rows of a file on their way into a command: ids given, bad rows named, progress shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from stream.cli.console import err, note
from stream.terminal import one_line

if TYPE_CHECKING:
    from rich.progress import Progress

    from schemas import Review
    from stream.files import BadRow, Options, ReviewFile, ReviewRow

ModelFolder = Annotated[
    Path | None, typer.Option(help="Model folder; else REVIEWS_MODEL__FOLDER.", show_default=False)
]

# A broken file must not flood the terminal; the count says the rest.
_SHOWN_PROBLEMS: Final = 10


_NO_WORDS: Final = "no words in them"  # as stream.files.rows.Reason has it, which loads slowly


class LeftOutRows:
    """Rows that are left out: the first of them are named on standard error, and all are counted."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many there are."""
        return self.reasons.total()

    def add(self, row: BadRow) -> None:
        """Name one and count it."""
        self.reasons[row.reason.value] += 1
        if self.count <= _SHOWN_PROBLEMS:
            problem = one_line(row.problem)
            err.print(f"line {row.line}: {problem}: left out", markup=False, style="yellow")
        elif self.count == _SHOWN_PROBLEMS + 1:
            err.print("further rows that are left out are only counted", style="yellow")

    def tell(self, read: int) -> None:
        """Say how many there are, and why, where there are any.

        Args:
            read: rows of the file, those that were left out among them.
        """
        if self.count:
            by = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.items())
            note(
                f"[yellow]{self.count:,} rows were left out: {by}; "
                f"{read:,} rows = {read - self.count:,} + {self.count:,}[/yellow]"
            )


class Rows:
    """Readable rows of a file with their ids; the rest is named on standard error and counted.

    Before the first row is handed on, the file is looked through, as far as it can be read twice,
    and what it was understood as is said.

    Args:
        path: the file, ``-`` for standard input.
        options: what is known of it.

    Raises:
        InputError: the file cannot be opened. Said at once, before a model is loaded or a broker is
            asked.
    """

    def __init__(self, path: Path, options: Options | None = None) -> None:
        from stream.files import Options, check_readable

        check_readable(path)
        self._path = path
        self._options = options or Options()
        self._told = False
        self.understood = ""
        self.names: tuple[str, ...] = ()
        """Of the columns, once the first row was read."""
        self.remarks: list[str] = []
        self.read = 0
        """Rows that were read, good and bad."""
        self._left_out = LeftOutRows()
        self.bytes_read = 0
        self.total_bytes = path.stat().st_size if path.is_file() else None

    @property
    def left_out(self) -> int:
        """How many rows were left out."""
        return self._left_out.count

    def check(self) -> None:
        """Look through the file, if it can be read again, before anything is done with it.

        Raises:
            InputError: it cannot be read, or much of it does not parse.
        """
        from stream.files.checking import look_through

        if self._path.is_file() and not self._told:
            with err.status("looking through the file"):
                found = look_through(self._path, self._options)
            self.names = found.names
            self._tell(found.said, found.told)

    def __iter__(self) -> Iterator[tuple[str, ReviewRow]]:
        """Yield id and row.

        Raises:
            InputError: the file or its format cannot be read.
        """
        from stream.files import BadRow, IdDeriver

        ids = IdDeriver()
        for row in self.every():
            if isinstance(row, BadRow):
                self.leave_out(row)
            else:
                yield ids.id_of(row), row

    def every(self) -> Generator[ReviewRow | BadRow, None, None]:
        """Yield all rows, the bad ones too.

        Raises:
            InputError: the file or its format cannot be read.
        """
        from stream.files import open_reviews

        self.check()
        with open_reviews(self._path, self._options) as file:
            if not self._told:
                self._look_at_head(file)
            for row in file:
                self.bytes_read = file.source.bytes_read
                self.read += 1
                yield row

    def _look_at_head(self, file: ReviewFile) -> None:
        from stream.files.checking import look_at_head

        found = look_at_head(file, self._path, self._options)
        self.names = found.names
        self._tell(found.said, found.told)

    def _tell(self, understood: str, remarks: list[str]) -> None:
        """Say what the file was understood as, and what was noticed in it."""
        self._told = True
        self.understood, self.remarks = understood, remarks
        err.print(f"reading {one_line(understood)}", markup=False, style="dim", soft_wrap=True)
        for remark in remarks:
            err.print(one_line(remark), markup=False, style="yellow", soft_wrap=True)

    def reviews(self, limit: int | None = None) -> Iterator[Review]:
        """Yield the reviews that keep to the contract."""
        from stream.files import BadRow

        yielded = 0
        for review_id, row in self:
            review = row.to_review(review_id)
            if isinstance(review, BadRow):
                self.leave_out(review)
                continue
            yield review
            yielded += 1
            if yielded == limit:
                return

    def leave_out(self, row: BadRow) -> None:
        """Name a bad row and count it."""
        self._left_out.add(row)

    def counts(self) -> dict[str, Any]:
        """Return all counts for a program; rows are those that were read."""
        return {
            "rows": self.read,
            "left_out": self.left_out,
            "left_out_by": dict(self._left_out.reasons),
            "understood": self.understood,
            "remarks": self.remarks,
        }

    def exit_if_any_left_out(self, *, words_needed: bool = True) -> None:
        """End the command with exit code 1 when it was done only in part.

        Args:
            words_needed: False: a row without words is no failure; it comes back among the others.
        """
        self._left_out.tell(self.read)
        if self.left_out and (words_needed or set(self._left_out.reasons) - {_NO_WORDS}):
            raise typer.Exit(1)


def progress_over(rows: Rows, verb: str) -> Progress:
    """Return a progress display by bytes read; its task 0 has the field ``done``."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    progress = Progress(
        TextColumn(verb),
        BarColumn(),
        TextColumn("{task.fields[done]:,} reviews"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    progress.add_task(verb, total=rows.total_bytes, done=0)
    return progress
