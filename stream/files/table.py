"""A file as a table: what somebody said of it, and what was understood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, cast, get_args

from stream.errors import InputError
from stream.files.columns import Columns, Wanted, listed
from stream.files.rows import BadRow, Record, Remarks

Format = Literal["auto", "csv", "json", "jsonl", "lines", "excel", "parquet"]
LINES: Final = "text"
"""Name of the only column of a file that has a review on each line."""


class NothingInside(InputError):
    """A file that is well-formed and empty."""


@dataclass(frozen=True, slots=True)
class Options:
    """What somebody said of a file; the rest is found out.

    Attributes:
        format: of the file.
        wanted: columns.
        encoding: as :func:`~stream.files.encoding.encoding_named` takes it.
        delimiter: as :func:`~stream.files.dialect.delimiter_named` takes it.
        sheet: of a workbook.
    """

    format: Format = "auto"
    wanted: Wanted = field(default_factory=Wanted)
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A file as it was understood.

    Attributes:
        facts: what it is: "CSV", "Windows-1251", ...
        names: of its columns, as far as they are known before it is read.
        columns: which of them are what.
        records: to be read once.
        remarks: what was mended on the way.
        flat: no value of a record is an object of its own.
    """

    facts: tuple[str, ...]
    names: tuple[str, ...]
    columns: Columns
    records: Iterator[Record | BadRow]
    remarks: Remarks
    flat: bool = False

    @property
    def said(self) -> str:
        """What was understood, in one line."""
        columns = self.columns
        parts = [", ".join(self.facts), f"text from {listed(columns.text)}"]
        if columns.guessed:
            parts[1] += " (there is no header: --text-column names another)"
        for what, names in (("id", columns.id), ("date", columns.date)):
            if names:
                parts.append(f"{what} from {listed(names[:1])}")
        if not columns.id:
            parts.append("ids made from the texts")
        return "; ".join(parts)

    @property
    def said_of_labels(self) -> str:
        """What a file of labels was understood as, in one line."""
        columns = self.columns
        parts = [", ".join(self.facts), f"text from {listed(columns.text)}"]
        if columns.label:
            parts.append(f"label from {listed(columns.label[:1])}")
        return "; ".join(parts)


def format_of(name: str) -> Format:
    """Return the format with this name.

    Raises:
        InputError: there is no such format.
    """
    if name not in get_args(Format):
        raise InputError(f"there is no format {name!r}", f"one of: {', '.join(get_args(Format))}")
    return cast("Format", name)
