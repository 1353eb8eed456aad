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

_BEGINS: Final = r"""(\A|[;|\t\r\n\v\f])"""
# What may stand before it: a quote opens a cell, white space is trimmed by some.
_FORMULA: Final = r"""(?=["'\s]*[=+\-@\uff1d\uff0b\uff0d\uff20])"""
_UNGUARDED: Final = re.compile(_BEGINS + _FORMULA)
_GUARDED: Final = re.compile(_BEGINS + "'" + _FORMULA)


def guarded(text: str) -> str:
    """Return text of which no part is a formula to a spreadsheet.

    >>> guarded("цена;=1+1")
    "цена;'=1+1"
    """
    return _UNGUARDED.sub(r"\1'", text)


def unguarded(text: str) -> str:
    """Return what :func:`guarded` was given.

    >>> unguarded("цена;'=1+1")
    'цена;=1+1'
    """
    return _GUARDED.sub(r"\1", text)


class SafeWriter:
    """Writes rows of CSV whose texts are guarded; None is an empty cell.

    Args:
        file: opened with ``newline=""``.
    """

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file)

    def writerow(self, row: Iterable[Any]) -> None:
        """Write one row."""
        self._writer.writerow([_cell(value) for value in row])


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None else value
