"""How much memory a workbook would take, measured before the library opens it.

The library holds a sheet whole, with a place for each cell between the first and the last. What it
takes for a cell is lenient: lower-case letters, blanks around the sign of equality, cells and rows
without a number, sheets that lie anywhere in the archive. So what is written as every program writes it
is measured by a pattern; all else is parsed, and what cannot be parsed is refused.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Final, Protocol
from xml.parsers import expat

from stream.errors import InputError

MOST_CELLS: Final = 32 * 1024 * 1024
"""A full sheet of Excel with thirty columns; about a gigabyte."""
MOST_UNPACKED: Final = 1024**3
_PIECE: Final = 1024 * 1024
_SAVE: Final = "save it as CSV, and name that"

_SHEET_MARK: Final = b"sheetData"
_CELL: Final = re.compile(rb"<(?:[^\s<>/]*:)?c[\s/>]")
_PLAIN_CELL: Final = re.compile(
    rb'<(?:\w{1,20}:)?c(?: (?!r=)[\w:]{1,20}="[^"<>&]{0,40}"){0,6} r="([A-Z]{1,3})([0-9]{1,7})"'
)
_REFERENCE: Final = re.compile(r"\s*([A-Za-z]+)([0-9]+)\s*")
_BINARY_SHEET_DATA: Final = b"\x91\x01"
_BINARY_ROW: Final = 0
_BINARY_CELLS: Final = range(1, 12)
_MOST_BINARY: Final = 256 * 1024 * 1024
_MOST_RECORDS: Final = 16 * 1024 * 1024
"""Each costs a microsecond; two of them for a cell are many."""


def check_size(archive: zipfile.ZipFile, path: str) -> None:
    """Refuse a workbook that would take more memory than a machine has.

    Raises:
        InputError: it has too many cells, unpacks to too much, or cannot be measured.
    """
    infos = archive.infolist()
    if sum(info.file_size for info in infos) > MOST_UNPACKED:
        raise InputError(f"{path} unpacks to more than {MOST_UNPACKED // 1024**3} GiB", _SAVE)
    binary = any(info.filename.lower().endswith("workbook.bin") for info in infos)
    for info in infos:
        try:
            cells = _cells(archive, info, binary=binary)
        except (expat.ExpatError, _NotPlain) as error:
            raise InputError(
                f"{path} cannot be read as a workbook: {info.filename}: {error}", _SAVE
            ) from None
        if cells > MOST_CELLS:
            raise InputError(
                f"{path} reaches over {cells:,} cells; at most {MOST_CELLS:,} are taken", _SAVE
            )


class _NotPlain(Exception):
    """What no program writes, and what two parsers may understand differently."""


def _cells(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, binary: bool) -> int:
    """Return how many cells an entry reaches over; reading it all finds what is longer than it says."""
    if info.filename == "content.xml" and (cells := _parsed(archive, info, _OpenDocument())):
        return cells
    is_sheet, plain = _looked_through(archive, info)
    if binary:
        return _cells_of_xlsb(archive, info)
    if plain is not None or not is_sheet:
        return plain or 0
    return _parsed(archive, info, _Xlsx())


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as file:
        while piece := file.read(_PIECE):
            yield piece


def _looked_through(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[bool, int | None]:
    """Tell whether an entry may be a sheet, and over how many cells it reaches.

    Comments count as well: too many cells are refused, too few are not let through. None: some
    cells are not written as every program writes them.
    """
    columns: set[bytes] = set()
    last_row, plain, is_sheet, rest = 0, True, False, b""
    for piece in _pieces(archive, info):
        piece = rest + piece  # noqa: PLW2901 - each ends where its last tag begins
        is_sheet = is_sheet or _SHEET_MARK in piece
        end = piece.rfind(b"<")
        whole, rest = (piece[:end], piece[end:]) if end >= 0 else (b"", piece[-len(_SHEET_MARK) :])
        if len(rest) > _PIECE:
            plain, rest = False, rest[-len(_SHEET_MARK) :]
        if plain:
            found = _PLAIN_CELL.findall(whole)
            plain = len(found) == len(_CELL.findall(whole))
            columns.update(column for column, _ in found)
            last_row = max(last_row, max((int(row) for _, row in found), default=0))
    plain = plain and not _CELL.match(rest)
    width = max((_column_number(column.decode()) for column in columns), default=0)
    return is_sheet, last_row * width if plain else None


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper()[:8]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


class _Reading(Protocol):
    """Takes the elements of a sheet, and counts."""

    @property
    def cells(self) -> int:
        """Over how many cells it reaches."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element."""

    def end(self, name: str) -> None:
        """Take its end."""


def _parsed(archive: zipfile.ZipFile, info: zipfile.ZipInfo, reading: _Reading) -> int:
    # The library finds tags by their bytes, whatever encoding is declared.
    parser = expat.ParserCreate("iso-8859-1")
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.StartDoctypeDeclHandler = _refusing("it declares a document type")
    parser.CommentHandler = _refusing("it holds comments")
    parser.ProcessingInstructionHandler = _refusing("it holds instructions")
    for piece in _pieces(archive, info):
        parser.Parse(piece, False)
    parser.Parse(b"", True)
    return reading.cells


def _refusing(why: str) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise _NotPlain(why)

    return refuse


def _number(said: str | None, otherwise: int) -> int:
    # More digits than these are more than any limit.
    digits = (said or "").strip().lstrip("0")[:12]
    return int(digits) if digits.isdecimal() else otherwise


class _Xlsx:
    """Counts the cells of a sheet of Excel; a row or cell without a number is the next one."""

    def __init__(self) -> None:
        self._row = self._column = self._last_row = self._width = 0

    @property
    def cells(self) -> int:
        return self._last_row * self._width

    def start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                self._row = _number(attributes.get("r"), self._row + 1)
                self._column = 0
            case "c":
                self._cell(attributes.get("r", ""))

    def end(self, name: str) -> None:
        """Nothing depends on it."""

    def _cell(self, reference: str) -> None:
        named = _REFERENCE.fullmatch(reference)
        self._column = _column_number(named[1]) if named else self._column + 1
        row = _number(named[2], self._row) if named else self._row
        self._width = max(self._width, self._column)
        self._last_row = max(self._last_row, self._row, row)


class _OpenDocument:
    """Counts the cells of tables whose rows and cells may say that they stand for many.

    Cells that stand for nothing count only before one that holds something: rows are filled up to the
    width of a sheet by one, and sheets to their height by one row.
    """

    def __init__(self) -> None:
        self._before = self._row = self._height = self._width = 0
        self._repeats = self._cells_before = self._row_width = 0
        self._cell: int | None = None

    @property
    def cells(self) -> int:
        return max(self._before, self._height * self._width)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "table:table":
                self._before = self.cells
                self._row = self._height = self._width = 0
            case "table:table-row":
                self._repeats = _number(attributes.get("table:number-rows-repeated"), 1)
                self._cells_before = self._row_width = 0
            case "table:table-cell" | "table:covered-table-cell":
                self._cell = _number(attributes.get("table:number-columns-repeated"), 1)
                if any("value" in name or "formula" in name for name in attributes):
                    self._holds()
            case _:
                self._holds()

    def end(self, name: str) -> None:
        match name:
            case "table:table-row":
                self._row += self._repeats
                if self._row_width:
                    self._height = self._row
                    self._width = max(self._width, self._row_width)
            case "table:table-cell" | "table:covered-table-cell":
                self._cells_before += self._cell or 0
                self._cell = None

    def _holds(self) -> None:
        if self._cell is not None:
            self._row_width = self._cells_before + self._cell


def _cells_of_xlsb(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """Count the cells of a binary sheet: a list of records, each with its kind and its length.

    Raises:
        _NotPlain: what is no list of records holds what begins a sheet.
    """
    is_list = info.filename.lower().endswith(".bin")
    with archive.open(info) as file:
        data = file.read(_MOST_BINARY + 1)
    if len(data) > _MOST_BINARY:
        raise _NotPlain("it is too long")
    if _BINARY_SHEET_DATA not in data:
        return 0
    if not is_list:
        raise _NotPlain("it holds a sheet, and is not named as one")
    last_row = width = place = records = 0
    while place < len(data):
        records += 1
        if records > _MOST_RECORDS:
            raise _NotPlain("it has too many records")
        kind, place = _variable(data, place, 2)
        length, place = _variable(data, place, 4)
        first = int.from_bytes(data[place : place + 4], "little")
        if kind == _BINARY_ROW:
            last_row = max(last_row, first + 1)
        elif kind in _BINARY_CELLS:
            width = max(width, first + 1)
        place += length
    return last_row * width


def _variable(data: bytes, place: int, most: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    number = 0
    for i, byte in enumerate(data[place : place + most]):
        number |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return number, place + i + 1
    return number, place + most
