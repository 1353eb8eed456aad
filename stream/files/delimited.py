"""CSV and its relatives, record by record, whatever stands in their quotes.

Read as the standard says as long as the file keeps to it, by Python's own reader, block by block. Where
it does not (a quote within a quoted text, a quote that nobody closed), only the lines concerned are
read again, leniently, and counted: a stray quote costs no row, and swallows none.
"""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Final, TypeAlias

from stream.files.rows import BadRow, Remarks

QUOTE: Final = '"'
DELIMITERS: Final = (",", ";", "\t", "|")
UNCLOSED: Final = "a quote that is not closed was taken as a character"
INNER: Final = "quotes within a quoted text were taken as characters"

# A field of more than the csv module's default 128 KiB is a bad review, not a broken file.
_MAX_FIELD: Final = 16 * 1024 * 1024
# A quoted text of more lines, or a line of more characters, is taken for a quote that is not closed,
# and for a file that is no text.
_MOST_LINES: Final = 1_000
MOST_CHARACTERS: Final = 4 * 1024 * 1024
# An unescaped quote within a text of several lines is looked for in so many of them.
_LENIENT_LINES: Final = 20
# After a record that breaks the rules so many lines are tried again at once, and then more.
_WINDOW: Final = 64
# Of a line that is all quotes and delimiters so many ways to part it are tried.
_CLOSINGS_TRIED: Final = 20
_LONGEST_KEY: Final = 64
_LONGEST_NUMBER: Final = 19
_ESCAPED: Final = '\\"'
# Not a quote after a backslash that is escaped itself.
_ESCAPED_QUOTE: Final = re.compile(r'(?<!\\)((?:\\\\)*)\\"')
_QUOTES: Final = re.compile(r'"+')


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file parts its records.

    Attributes:
        delimiter: between cells; None: there is one cell a line.
        quoted: quotes keep delimiters and line ends within a cell; else they are characters.
        newline: as of :func:`open`: a line feed, or any of the three where there is none.
        spaced: a space follows each delimiter, before the quote.
    """

    delimiter: str | None
    quoted: bool = True
    newline: str = "\n"
    spaced: bool = False

    @property
    def name(self) -> str:
        """Name of the delimiter for people."""
        return {"\t": "tab", None: "lines"}.get(self.delimiter, f"`{self.delimiter}`")


Parsed: TypeAlias = tuple[int, list[str]]
"""The line on which a record begins, and its cells."""


def newline_of(text: str) -> str:
    """Return by what lines are parted, for :class:`Dialect`."""
    return "\n" if "\n" in text else ""


def lines_of(pieces: Iterator[str], newline: str) -> Iterator[list[str] | None]:
    """Yield blocks of whole lines with their ends; None for a line that is too long to be one."""
    rest = ""
    skipping = False
    for piece in pieces:
        text = rest + piece
        end = text.rfind("\n") + 1
        if not newline:
            # The line feed of a pair may be in the next piece.
            end = max(end, text.rfind("\r", 0, -1) + 1)
        if end == 0:
            rest = text
            if len(rest) > MOST_CHARACTERS:
                rest, skipping = "", True
            continue
        block, rest = text[:end], text[end:]
        found = io.StringIO(block, newline=newline).readlines()
        if skipping:
            skipping = False
            found = found[1:]
            yield None
        yield found
    if skipping:
        yield None
    elif rest:
        yield io.StringIO(rest, newline=newline).readlines()


class DelimitedReader:
    """Reads records of text.

    Args:
        pieces: of the text, of any length.
        dialect: how it is parted.
        remarks: where it is counted what was mended.
    """

    def __init__(self, pieces: Iterator[str], dialect: Dialect, remarks: Remarks) -> None:
        self._pieces = pieces
        self._dialect = dialect
        self._remarks = remarks
        self.columns = 0
        """How many cells a record has, once that is known; 0: any number."""

    def __iter__(self) -> Iterator[Parsed | BadRow]:
        """Yield every record; lines without anything are none."""
        csv.field_size_limit(_MAX_FIELD)
        number = 1
        carried: list[str] = []
        for block in lines_of(self._pieces, self._dialect.newline):
            if block is None:
                yield from self._records(carried, number, ended=True)[0]
                number += len(carried)
                carried = []
                yield BadRow(number, f"a line of more than {MOST_CHARACTERS:,} characters")
                number += 1
                continue
            lines = carried + block if carried else block
            found, taken = self._records(lines, number, ended=False)
            yield from found
            carried, number = lines[taken:], number + taken
        yield from self._records(carried, number, ended=True)[0]

    def _records(self, lines: list[str], number: int, *, ended: bool) -> tuple[list[Parsed], int]:
        """Return the records of these lines, and how many of the lines they take."""
        if self._dialect.delimiter is None or not self._dialect.quoted:
            return self._plain(lines, number), len(lines)
        found: list[Parsed] = []
        begin, size = 0, len(lines)
        while begin < len(lines):
            window = lines[begin : begin + size]
            is_last = begin + len(window) >= len(lines)
            done, is_open = self._strict(window, number + begin, found)
            begin += done
            if done == len(window):
                size *= 2
                continue
            rest = window[done:]
            if escaped := self._escaped(lines[begin : begin + _LENIENT_LINES]):
                found.append((number + begin, escaped[0]))
                begin += escaped[1]
                size = _WINDOW
                continue
            if is_open and _may_close(rest) and not (is_last and ended):
                if is_last:
                    break
                size = 4 * len(rest)
                continue
            cells, used, remark = self._lenient(lines[begin : begin + _LENIENT_LINES])
            if cells != [""]:
                found.append((number + begin, cells))
                self._remarks.add(remark, number + begin)
            begin += used
            size = _WINDOW
        return found, begin

    def _plain(self, lines: list[str], number: int) -> list[Parsed]:
        delimiter = self._dialect.delimiter
        contents = ((at, line.rstrip("\r\n")) for at, line in enumerate(lines, start=number))
        return [
            (at, [content] if delimiter is None else content.split(delimiter))
            for at, content in contents
            if content.strip()
        ]

    def _strict(self, lines: list[str], number: int, found: list[Parsed]) -> tuple[int, bool]:
        """Add the records that keep to the standard, up to the first that does not.

        Returns:
            How many lines they take, and whether the next record has a quote open at the end.
        """
        delimiter = self._dialect.delimiter or ","
        reader = csv.reader(
            lines, delimiter=delimiter, strict=True, skipinitialspace=self._dialect.spaced
        )
        done = 0
        try:
            for cells in reader:
                after = reader.line_num
                if after - done > 1 and self._swallows(lines[done:after], cells):
                    return done, False
                if len(cells) > 1 or (cells and cells[0].strip()):
                    found.append((number + done, cells))
                done = after
        except csv.Error as error:
            return done, "unexpected end" in str(error)
        return len(lines), False

    def _swallows(self, lines: list[str], cells: list[str]) -> bool:
        """Tell whether a record over several lines holds what are records of their own."""
        if len(lines) > _MOST_LINES:
            return True
        delimiter = self._dialect.delimiter or ","
        if self.columns <= 1 or not cells:
            return False
        key = _shape(lines[0].split(delimiter, 1)[0])
        inner = [line for line in lines[1:] if line.strip()]
        alike = sum(
            delimiter in line and _shape(line.split(delimiter, 1)[0]) == key for line in inner
        )
        return bool(key) and alike > 0 and alike >= 0.8 * len(inner) and _rising(lines, delimiter)

    def _escaped(self, lines: list[str]) -> tuple[list[str], int] | None:
        """Return the cells of a record whose quotes a backslash escapes, and its lines; None: they do not.

        So MySQL and many programs write them, and line ends as well.
        """
        if _ESCAPED not in lines[0]:
            return None
        doubled = [_ESCAPED_QUOTE.sub(r'\1""', line) for line in lines]
        reader = csv.reader(doubled, delimiter=self._dialect.delimiter or ",", strict=True)
        try:
            cells = next(reader)
        except (csv.Error, StopIteration):
            return None
        if self.columns and len(cells) != self.columns:
            return None
        return [cell.replace("\\\n", "\n") for cell in cells], reader.line_num

    def _lenient(self, lines: list[str]) -> tuple[list[str], int, str]:
        """Return the cells of a record that breaks the rules, its lines, and what was mended."""
        delimiter = self._dialect.delimiter or ","
        cells, is_open = lenient_cells(lines[0].rstrip("\r\n"), delimiter)
        if not self.columns:
            return cells, 1, UNCLOSED if is_open else INNER
        if not is_open:
            if len(cells) != self.columns:
                line = lines[0].rstrip("\r\n")
                cells = _closed_later(line, delimiter, self.columns) or cells
            return cells, 1, INNER
        for more in range(1, len(lines)):
            if len(lenient_cells(lines[more], delimiter)[0]) == self.columns > 1:
                break
            joined, still_open = lenient_cells("".join(lines[: more + 1]).rstrip("\r\n"), delimiter)
            if not still_open and len(joined) == self.columns:
                return joined, more + 1, INNER
        return cells, 1, UNCLOSED


def _may_close(lines: list[str]) -> bool:
    """Tell whether a quoted text that goes on after these lines is still a believable one."""
    return len(lines) < _MOST_LINES and sum(map(len, lines)) < MOST_CHARACTERS


_DIGITS: Final = re.compile(r"\d+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")


def _shape(cell: str) -> str:
    """Return what kind of key a cell is: 0190-01 and 0191-15 are of one shape. Empty: it is none.

    A word alone is no key: "Hello," and "Best," begin lines of one letter.
    """
    cell = cell.strip().strip(QUOTE)
    if len(cell) > _LONGEST_KEY or " " in cell or not _DIGITS.search(cell):
        return ""
    return _LETTERS.sub("a", _DIGITS.sub("9", cell))


def _rising(lines: list[str], delimiter: str) -> bool:
    """Tell whether keys that are numbers go on rising, as records do; a list begins again at 1."""
    keys = [line.split(delimiter, 1)[0].strip().strip(QUOTE) for line in lines if line.strip()]
    numbers = [int(key) for key in keys if key.isdecimal() and len(key) <= _LONGEST_NUMBER]
    return all(a < b for a, b in pairwise(numbers))


class _Closings:
    """Where quoted cells of a line may close: before a delimiter, or at the end.

    Found once for a line: else each quote that is not closed would cost a look at all of the rest.
    """

    def __init__(self, line: str, delimiter: str) -> None:
        self._line = line
        self._delimiter = delimiter
        runs = _QUOTES.finditer(line)
        self._ends = [
            r.end() - 1 for r in runs if (r.end() - r.start()) % 2 and self._ends_at(r.end())
        ]

    def after(self, opening: int) -> Iterator[int]:
        """Yield where a cell that opens here may close, the nearest first."""
        run = _QUOTES.match(self._line, opening + 1)
        if run and (run.end() - run.start()) % 2 and self._ends_at(run.end()):
            yield run.end() - 1
        first = bisect_right(self._ends, run.end() if run else opening)
        yield from islice(self._ends, first, None)

    def _ends_at(self, at: int) -> bool:
        return at >= len(self._line) or self._line[at] == self._delimiter


def lenient_cells(line: str, delimiter: str) -> tuple[list[str], bool]:
    """Part a line whose quotes break the rules: a quote closes only where a delimiter follows.

    Returns:
        The cells, and whether a quote was opened and never closed.
    """
    cells: list[str] = []
    at, was_open = 0, False
    closings = _Closings(line, delimiter) if QUOTE in line else None
    while True:
        if closings is not None and line.startswith(QUOTE, at):
            end = next(closings.after(at), -1)
            if end >= 0:
                cells.append(_unescaped(line[at + 1 : end]))
                if end + 1 >= len(line):
                    return cells, was_open
                at = end + 2
                continue
            was_open = True
        end = line.find(delimiter, at)
        if end < 0:
            cells.append(line[at:])
            return cells, was_open
        cells.append(line[at:end])
        at = end + 1


def _unescaped(inner: str) -> str:
    """Return a quoted text with its quotes as they were before they were doubled or escaped."""
    if '\\"' in inner and QUOTE not in inner.replace('\\"', ""):
        return inner.replace('\\"', QUOTE)
    return inner.replace('""', QUOTE)


def _closed_later(line: str, delimiter: str, columns: int) -> list[str] | None:
    """Part a line whose quoted text holds a quote before a delimiter: so that the columns fit."""
    opening = 0 if line.startswith(QUOTE) else line.find(delimiter + QUOTE) + 1
    if not line.startswith(QUOTE, opening):
        return None
    before = line[: opening - 1].split(delimiter) if opening else []
    for end in islice(_Closings(line, delimiter).after(opening), _CLOSINGS_TRIED):
        after, is_open = (
            lenient_cells(line[end + 2 :], delimiter) if end + 1 < len(line) else ([], False)
        )
        if not is_open and len(before) + 1 + len(after) == columns:
            inner = line[opening + 1 : end].replace('\\"', QUOTE).replace('""', QUOTE)
            return [*before, inner, *after]
    return None
