"""Rows of a file on their way into a command: ids given, bad rows named, progress shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream.cli.console import err, note, one_line

if TYPE_CHECKING:
    from rich.progress import Progress

    from schemas import Review
    from stream.clients.review_files import BadRow, ReviewRow

FileFormat = Annotated[str, typer.Option("--format", help="auto, csv, jsonl or lines.")]
ModelFolder = Annotated[
    Path | None, typer.Option(help="Model folder; else REVIEWS_MODEL__FOLDER.", show_default=False)
]

# A broken file must not flood the terminal; the count says the rest.
_SHOWN_PROBLEMS: Final = 10


class Rows:
    """Readable rows of a file with their ids; the rest is named on standard error and counted.

    Args:
        path: the file, ``-`` for standard input.
        file_format: ``auto``, ``csv``, ``jsonl`` or ``lines``.

    Raises:
        InputError: the file cannot be opened, or there is no such format. Said at once, before a
            model is loaded or a broker is asked.
    """

    def __init__(self, path: Path, file_format: str = "auto") -> None:
        from stream.clients.review_files import check_readable, format_of

        check_readable(path)
        self._path = path
        self._format = format_of(file_format)
        self.left_out = 0
        self.bytes_read = 0
        self.total_bytes = path.stat().st_size if path.is_file() else None

    def __iter__(self) -> Iterator[tuple[str, ReviewRow]]:
        """Yield id and row.

        Raises:
            InputError: the file or its format cannot be read.
        """
        from stream.clients.review_files import BadRow, IdDeriver, open_reviews, read_rows

        ids = IdDeriver()
        with open_reviews(self._path) as file:
            for row in read_rows(file, self._path, self._format):
                if self.total_bytes is not None:
                    self.bytes_read = file.tell()
                if isinstance(row, BadRow):
                    self.leave_out(row)
                else:
                    yield ids.id_of(row), row

    def reviews(self, limit: int | None = None) -> Iterator[Review]:
        """Yield the reviews that keep to the contract."""
        from stream.clients.review_files import BadRow

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
        self.left_out += 1
        if self.left_out <= _SHOWN_PROBLEMS:
            problem = one_line(row.problem)
            err.print(f"line {row.line}: {problem}: left out", markup=False, style="yellow")
        elif self.left_out == _SHOWN_PROBLEMS + 1:
            err.print("further bad rows are only counted", style="yellow")

    def exit_if_any_left_out(self) -> None:
        """End the command with exit code 1 when it was done only in part."""
        if self.left_out:
            note(f"[yellow]{self.left_out:,} rows were left out[/yellow]")
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
