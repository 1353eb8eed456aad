"""Labelled texts as people have them, before anybody knows which labels there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from stream.errors import InputError
from stream.files import BadRow, Options, Reason, Wanted, open_reviews
from stream.files.columns import listed
from stream.files.labels import label_rows

_MOST_SHOWN: Final = 40
_MOST_NAMED: Final = 5
# 2.0 is a number that a spreadsheet wrote.
_WHOLE_FLOAT: Final = re.compile(r"^(\d+)\.0+$")


def read_labelled_texts(
    path: Path,
    text_columns: Sequence[str] = (),
    label_column: str | None = None,
    say: Callable[[str], None] = lambda _: None,
    leave_out: Callable[[BadRow], None] = lambda _: None,
    sheet: str | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield each row's text and its label as the file writes it. Rows without either are left out.

    Args:
        path: of the file, in any form that ``reviews produce`` reads.
        text_columns: else those that are known by their names.
        label_column: likewise.
        say: is told which columns those are.
        leave_out: is told of each row that has no text or no label.
        sheet: of a workbook; else the first with texts.

    Raises:
        InputError: it cannot be read, or no column is known to hold labels.
    """
    wanted = Wanted(tuple(text_columns), None, label_column)
    with open_reviews(path, Options(wanted=wanted, sheet=sheet)) as file:
        columns = file.table.columns
        labels = columns.label
        if not labels:
            first = next(iter(file), None)
            if first is None:
                raise InputError(f"{path} holds no rows", "name a file of labelled texts")
            # Where no name is known, the names stand in the first row.
            names = map(str, first.fields.values()) if columns.guessed else file.table.names
            raise InputError(
                f"{path}: no column is known to hold labels; there are "
                f"{listed(name[:_MOST_SHOWN] for name in names)}",
                "name it with --label-column, and the text's with --text-column",
            )
        say(f"{path.name}: {file.table.said_of_labels}")
        for row in label_rows(file.table):
            if isinstance(row, BadRow):
                leave_out(row)
            elif len(set(row.said)) > 1:
                problem = f"several labels: {', '.join(row.said[:_MOST_NAMED])}"
                leave_out(BadRow(row.line, problem, Reason.NO_LABEL))
            elif row.said and (label := row.said[0].strip()):
                yield row.text, _WHOLE_FLOAT.sub(r"\1", label)
            else:
                leave_out(BadRow(row.line, "it has no label", Reason.NO_LABEL))
