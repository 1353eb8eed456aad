"""CSV that a spreadsheet opens without running what a stranger wrote into a review.

A cell that begins with ``=``, ``+``, ``-`` or ``@`` is a formula to a spreadsheet. And a cell may begin in
the middle of ours: where the list separator is a semicolon, as in Russian Excel, quotes within a line
count for nothing, so that ``;=1+1`` or a line break splits it. An apostrophe before each such beginning
makes it text. Reading takes exactly these away again, so that nothing is changed on the way.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import Any, Final, TextIO

# What stands before a formula's sign, read once: a quote opens a cell, white space is trimmed by some.
# So are control characters and those of no width, which some leave out.
_SKIPPED: Final = r"""["'\s\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff]"""
_BEFORE: Final = re.compile(rf"(?<!{_SKIPPED}){_SKIPPED}*+(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_BREAK: Final = re.compile(r"[\t\r\n\v\f]")
_GUARDED_BREAK: Final = re.compile(r"([\t\r\n\v\f])'")


def guarded(text: str) -> str:
    """Return text of which no part is a formula to a spreadsheet.

    >>> guarded("цена;=1+1")
    "цена;'=1+1"
    """

    def guard(before: re.Match[str]) -> str:
        inside = _BREAK.sub(r"\g<0>'", before[0])
        return f"'{inside}" if _begins(before) else inside

    return _BEFORE.sub(guard, text)


def unguarded(text: str) -> str:
    """Return what :func:`guarded` was given.

    >>> unguarded("цена;'=1+1")
    'цена;=1+1'
    """

    def unguard(before: re.Match[str]) -> str:
        inside = before[0].removeprefix("'") if _begins(before) else before[0]
        return _GUARDED_BREAK.sub(r"\1", inside)

    return _BEFORE.sub(unguard, text)


def delimiter_of(header: str) -> str:
    """Return what most likely parts the columns of a first line: comma, semicolon or tab."""
    return max(",;\t", key=header.count)


# Numbers, telephone numbers, dashes: nothing that a formula could call or fetch.
_HARMLESS: Final = re.compile(r"[-+]?[\d .,()-]*")


class SafeWriter:
    """Writes rows of CSV whose texts are guarded; None is an empty cell.

    Args:
        file: opened with ``newline=""``.
        delimiter: between cells.
    """

    def __init__(self, file: TextIO, delimiter: str = ",") -> None:
        self._writer = csv.writer(file, delimiter=delimiter)

    def writerow(self, row: Iterable[Any]) -> None:
        """Write one row."""
        self._writer.writerow([_cell(value) for value in row])


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value if _HARMLESS.fullmatch(value) else guarded(value)
    return "" if value is None else value


def _begins(before: re.Match[str]) -> bool:
    """Tell whether a cell begins here: with the text, or after a mark that separates cells."""
    return before.start() == 0 or before.string[before.start() - 1] in ";|"
