"""Workbooks: xlsx, xlsm, xlsb, xls and ods, read by calamine.

The library holds a sheet whole in memory, with a place for each cell between the first and the last,
empty ones too. So a workbook is measured before it is opened, see :mod:`stream.files.sheet_size`: one
that names its last cell in row 1,048,576 and column XFD would take all the memory there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from stream.errors import InputError
from stream.files.columns import (
    Columns,
    Wanted,
    below_titles,
    guess_columns,
    header_rows_below,
    known_columns,
    listed,
    looks_like_header,
    unique_names,
)
from stream.files.dialect import HEADER_WITHIN, LOOKED_AT, is_header_like
from stream.files.rows import BadRow, Record
from stream.files.table_rows import goes_on
from stream.files.values import as_text

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_SAVE: Final = "save it as CSV, and name that"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with the table that stands in it.

    Attributes:
        name: of the sheet.
        names: of the columns.
        columns: which of them are what.
        header: row of the header, from 1; 0: there is none.
        others: how many other sheets the workbook has.
        alike: those of them with the same header, where nobody named a sheet.
        below: how many rows below the header go on with it.
    """

    name: str
    names: tuple[str, ...]
    columns: Columns
    header: int
    others: int
    table: Any
    alike: tuple[str, ...] = ()
    below: int = 0

    def records(self) -> Iterator[Record | BadRow]:
        """Yield the rows below the header that hold anything."""
        below = self.below
        first = _first_row(self.table)
        for number, cells in enumerate(self.table.iter_rows(), start=first):
            if number > self.header and any(cell not in ("", None) for cell in cells):
                record = Record(number, dict(zip(self.names, cells, strict=False)))
                yield goes_on(record) if below > 0 else record
                below -= 1


def open_sheet(file: BinaryIO, path: str, wanted: Wanted, named: str | None = None) -> Sheet:
    """Return the first sheet of a workbook with a table of reviews, or the one that somebody named.

    Raises:
        InputError: it is damaged or locked, no sheet has a column of texts, or none has this name.
    """
    from python_calamine import (  # noqa: PLC0415 - only for workbooks
        CalamineError,
        CalamineWorkbook,
        PasswordError,
    )

    try:
        file.seek(0)
        workbook = CalamineWorkbook.from_filelike(file)
        return _reviews_in(workbook, path, wanted, named)
    except PasswordError:
        raise InputError(f"{path} has a password", "save it without one") from None
    except (CalamineError, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a workbook: {error}", _SAVE) from None


def _reviews_in(workbook: CalamineWorkbook, path: str, wanted: Wanted, named: str | None) -> Sheet:
    sheets = workbook.sheet_names
    if named is not None and named not in sheets:
        raise InputError(
            f"{path} has no sheet {named!r}; there are {listed(sheets)}", "name one of these"
        )
    candidates = sheets if named is None else [named]
    seen: list[str] = []
    for at, name in enumerate(candidates):
        table = workbook.get_sheet_by_name(name)
        rows = _beginning(table)
        if header := _header_in(rows, wanted):
            number, names, columns = header
            alike = (
                other
                for other in candidates[at + 1 :]
                if (found := _header_in(_beginning(workbook.get_sheet_by_name(other)), wanted))
                and found[1] == names
            )
            others = len(sheets) - 1
            lower = [cells for at_row, cells in rows if at_row > number]
            return Sheet(
                name,
                tuple(names),
                columns,
                number,
                others,
                table,
                tuple(alike),
                header_rows_below(columns, names, lower),
            )
        seen = max([seen, *(cells for _, cells in rows[:HEADER_WITHIN])], key=_filled)
    return _without_header(workbook, path, wanted, seen, candidates)


def _header_in(
    rows: Sequence[tuple[int, list[str]]], wanted: Wanted
) -> tuple[int, list[str], Columns] | None:
    """Return the row that names most columns that we know, its names, and the columns."""
    texts = [cells for _, cells in rows]
    found = []
    for place, (number, cells) in enumerate(rows[:HEADER_WITHIN]):
        if not is_header_like(place, cells, texts):
            continue
        names = unique_names(cells)
        with suppress(InputError):
            if columns := known_columns(names, wanted):
                found.append((number, names, columns))
    return max(found, key=lambda each: each[2].known, default=None)


def _filled(cells: Sequence[str]) -> int:
    return sum(map(bool, cells))


def _without_header(
    workbook: CalamineWorkbook,
    path: str,
    wanted: Wanted,
    seen: Sequence[str],
    candidates: Sequence[str],
) -> Sheet:
    """Take the longest sheet by what stands in it: what stands before it is a cover or a summary."""
    tables = [workbook.get_sheet_by_name(name) for name in candidates]
    for table in sorted(tables, key=lambda table: table.height, reverse=True):
        name = table.name
        found = _beginning(table)
        if header := _header_in(found, Wanted()):
            known_columns(header[1], wanted)  # refuses what was named and is not there
        rows = [cells for _, cells in found]
        names = unique_names([""] * max(map(len, rows), default=0))
        if not rows:
            continue
        first, *rest = below_titles(rows)
        # Of several columns that were named one is there, and so this is the header: name the others.
        if not {*wanted.text, wanted.id, wanted.label}.isdisjoint(first):
            known_columns(unique_names(first), wanted)
        columns = known_columns(names, wanted) if wanted else guess_columns(rows, names)
        if columns is None:
            continue
        if not wanted and looks_like_header(first, rest):
            seen = first
            break
        return Sheet(name, tuple(names), columns, 0, len(workbook.sheet_names) - 1, table)
    raise InputError(
        f"{path}: no column is known to hold the text; there are {listed(seen)}",
        "name it with --text-column",
    )


def _beginning(table: CalamineSheet) -> list[tuple[int, list[str]]]:
    found: list[tuple[int, list[str]]] = []
    for number, cells in enumerate(table.iter_rows(), start=_first_row(table)):
        texts = [as_text(cell) for cell in cells]
        if any(text.strip() for text in texts):
            found.append((number, texts))
        if len(found) >= LOOKED_AT:
            break
    return found


def _first_row(table: CalamineSheet) -> int:
    """Return the number of the first row that is iterated over, from 1."""
    return 1 + (table.start[0] if table.start else 0)
