"""How a text file parts its records: the delimiter, whether quotes count, where the header stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

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
from stream.files.delimited import (
    DELIMITERS,
    QUOTE,
    DelimitedReader,
    Dialect,
    lines_of,
    newline_of,
)
from stream.files.rows import BadRow, Remarks

_SEPARATOR: Final = re.compile(r"\A\s*\"?sep=(.)\"?[\r\n]+", re.IGNORECASE)
# Titles, empty rows and filters above a header are not more than these.
HEADER_WITHIN: Final = 30
LOOKED_AT: Final = 300
_CHARACTERS_LOOKED_AT: Final = 64 * 1024
# A table without a header is one when nearly all its lines have as many cells as the first.
_ALIKE: Final = 0.9
_NAMED_DELIMITERS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table stands in a text.

    Attributes:
        dialect: how its records are parted.
        names: of its columns.
        columns: which of them are what.
        header: number of the header among the records; None: there is none.
        skip: characters before the first record, of a ``sep=`` line.
        below: how many records below the header go on with it.
    """

    dialect: Dialect
    names: tuple[str, ...]
    columns: Columns
    header: int | None
    skip: int = 0
    below: int = 0


def delimiter_named(name: str) -> str:
    """Return the delimiter that somebody named: itself, or "tab".

    Raises:
        InputError: it is no single character.
    """
    found = _NAMED_DELIMITERS.get(name.casefold(), name)
    if len(found) != 1 or found in "\r\n" + QUOTE:
        raise InputError(f"{name!r} is no delimiter", "name one character, or tab")
    return found


def layout_of(
    head: str, *, whole: bool, wanted: Wanted, delimiter: str | None, must_be_table: bool
) -> Layout | None:
    """Return how a table stands in a text, None if it is none: then each line is a text.

    Args:
        head: how the text begins.
        whole: it is all of it; else its last line may be cut.
        wanted: columns that somebody named.
        delimiter: that somebody named.
        must_be_table: somebody said that it is CSV, or its name does.

    Raises:
        InputError: it is a table, and nothing tells which column is the text.
    """
    skip = 0
    if separator := _SEPARATOR.match(head):
        skip = separator.end()
        delimiter = delimiter or separator[1]
    whole = whole and len(head) <= _CHARACTERS_LOOKED_AT
    text = head[skip:] if whole else head[skip : _end_of_lines(head)]
    candidates = [_sampled(text, each) for each in ((delimiter,) if delimiter else DELIMITERS)]
    found = [f for sample in candidates if (f := sample.with_header(wanted)) is not None]
    if found:
        best = max(found, key=lambda f: f[1])
        return replace(best[0], skip=skip)
    best_sample = max(candidates, key=lambda sample: sample.likeness)
    if wanted:
        _refuse_absent(candidates, wanted)
    if wanted.text or wanted.id:
        return replace(best_sample.by_position(wanted), skip=skip)
    is_table = best_sample.is_table and (must_be_table or best_sample.dialect.delimiter == "\t")
    if not (is_table or must_be_table or delimiter):
        return None
    return replace(best_sample.without_header(), skip=skip)


def _refuse_absent(candidates: Sequence[_Sample], wanted: Wanted) -> None:
    """Refuse a wanted column that a table with a header does not have.

    Raises:
        InputError: names those that it has.
    """
    for sample in candidates:
        if header := sample.with_header(Wanted()):
            known_columns(header[0].names, wanted)
    best = max(candidates, key=lambda sample: sample.likeness)
    first, rest = best.parted()
    if looks_like_header(first, rest):
        known_columns(unique_names(first), wanted)


def _end_of_lines(head: str) -> int:
    """Return where the last whole line ends, so that a cut one is not judged."""
    head = head[:_CHARACTERS_LOOKED_AT]
    end = max(head.rfind("\n"), head.rfind("\r")) + 1
    return end or len(head)


def is_header_like(number: int, cells: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether a row may be a header: one word is, if it is the first row of a single column."""
    filled = sum(bool(cell.strip()) for cell in cells)
    if filled != 1:
        return filled > 1
    narrow = sum(sum(bool(cell.strip()) for cell in row) <= 1 for row in rows)
    return number == 0 and narrow >= _ALIKE * len(rows)


@dataclass(frozen=True, slots=True)
class _Sample:
    """The first records of a text, parted by one delimiter."""

    dialect: Dialect
    records: tuple[tuple[str, ...], ...]

    @property
    def widths(self) -> Counter[int]:
        return Counter(map(len, self.records))

    @property
    def likeness(self) -> tuple[float, bool, int]:
        """Order of delimiters where no header decides: how alike the records are, a key, the width."""
        if not self.records:
            return 0.0, False, 0
        width, times = max(self.widths.items(), key=lambda item: (item[1], item[0]))
        if width == 1:
            return 0.0, False, 1
        guess = guess_columns(self.records, self._numbered())
        return times / len(self.records), bool(guess and guess.id), width

    @property
    def is_spaced(self) -> bool:
        """Whether a space follows each delimiter of the first record."""
        first = self.records[0] if self.records else ()
        return len(first) > 1 and all(cell.startswith(" ") for cell in first[1:])

    @property
    def is_table(self) -> bool:
        return self.likeness[0] >= _ALIKE

    def parted(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """Return the record that may be a header, and those below it."""
        records = below_titles(self.records)
        return (records[0] if records else ()), records[1:]

    def with_header(self, wanted: Wanted) -> tuple[Layout, tuple[int, int, float]] | None:
        """Return the layout by a header that we know, with how good it is."""
        found = [
            candidate
            for number, cells in enumerate(self.records[:HEADER_WITHIN])
            if (candidate := self._header(number, cells, wanted)) is not None
        ]
        return max(found, key=lambda each: each[1], default=None)

    def _header(
        self, number: int, cells: Sequence[str], wanted: Wanted
    ) -> tuple[Layout, tuple[int, int, float]] | None:
        """Return the layout if this record is a header, with how good it is."""
        if not is_header_like(number, cells, self.records):
            return None
        names = unique_names(_without_empty_end(cells))
        columns = self._columns_of(number, names, wanted)
        if columns is None:
            return None
        below = self.records[number + 1 :]
        alike = sum(len(row) == len(cells) for row in below) / max(1, len(below))
        goes_on = header_rows_below(columns, names, below)
        layout = Layout(self.dialect, tuple(names), columns, number, below=goes_on)
        return layout, (columns.known, len(names), alike)

    def _columns_of(self, number: int, names: Sequence[str], wanted: Wanted) -> Columns | None:
        try:
            columns = known_columns(names, wanted)
        except InputError:
            return None
        numbered = all(name.isdecimal() for name in (*wanted.text, wanted.id or "0"))
        if not wanted or not numbered or set(wanted.text) & set(names):
            return columns
        # A number names a column of any row: only what is a header all the same is one.
        is_header = known_columns(names) or looks_like_header(names, self.records[number + 1 :])
        return columns if is_header else None

    def by_position(self, wanted: Wanted) -> Layout:
        """Return the layout of a table without header whose columns somebody numbered."""
        names = self._numbered()
        columns = known_columns(names, wanted)
        if columns is None:  # only an id was named
            columns = guess_columns(self.records, names) or Columns((names[-1],))
            named = known_columns(names, Wanted((names[0],), wanted.id))
            columns = replace(columns, id=named.id if named else ())
        return Layout(self.dialect, tuple(names), replace(columns, guessed=True), None)

    def without_header(self) -> Layout:
        """Return the layout by what stands in the columns.

        Raises:
            InputError: there are names, but none that we know; or nothing is text.
        """
        names = self._numbered()
        first, rest = self.parted()
        columns = guess_columns(rest or self.records, names)
        if looks_like_header(first, rest) or columns is None:
            named = unique_names(first)
            at = names.index(columns.text[0]) if columns else 0
            guess = named[min(at, len(named) - 1)] if named else ""
            raise InputError(
                f"no column is known to hold the text; there are {listed(named)}",
                f"name it: --text-column {guess!r}" if guess else "name a file of reviews",
            )
        return Layout(self.dialect, tuple(names), columns, None)

    def _numbered(self) -> list[str]:
        width = (
            max(self.widths.items(), key=lambda item: (item[1], item[0]))[0] if self.records else 0
        )
        return unique_names([""] * width)


def _without_empty_end(cells: Sequence[str]) -> list[str]:
    """Drop delimiters at the end of a header that part nothing."""
    found = list(cells)
    while len(found) > 1 and not found[-1].strip():
        found.pop()
    return found


def _sampled(text: str, delimiter: str) -> _Sample:
    newline = newline_of(text)
    quoted = _sampled_as(text, Dialect(delimiter, quoted=True, newline=newline))
    if f'{delimiter} "' in text and quoted.is_spaced:
        return _sampled_as(text, replace(quoted.dialect, spaced=True))
    if delimiter != "\t" or QUOTE not in text:
        return quoted
    # In many tables parted by tabs quotes are characters.
    plain = _sampled_as(text, Dialect(delimiter, quoted=False, newline=newline))
    if quoted.likeness[0] != plain.likeness[0]:
        return max(quoted, plain, key=lambda sample: sample.likeness[0])
    return quoted if _are_quoted(text, newline) else plain


def _sampled_as(text: str, dialect: Dialect) -> _Sample:
    reader = DelimitedReader(iter([text]), dialect, Remarks())
    records = (row for row in reader if not isinstance(row, BadRow))
    return _Sample(dialect, tuple(tuple(cells) for _, cells in islice(records, LOOKED_AT)))


_OPENING: Final = re.compile(r'(?:^|\t)"')
_CLOSING: Final = re.compile(r'"(?=\t|$)')
_WELL_QUOTED: Final = re.compile(r'(?:^|\t)"(?:[^"]|"")*"(?=\t|$)')


def _are_quoted(text: str, newline: str) -> bool:
    """Tell whether quotes keep cells together in a table parted by tabs, or are characters."""
    well = ill = closing = 0
    for block in lines_of(iter([text]), newline):
        for line in (block or [])[:LOOKED_AT]:
            content = line.rstrip("\r\n")
            opened, closed = len(_OPENING.findall(content)), len(_WELL_QUOTED.findall(content))
            well, ill = well + closed, ill + opened - closed
            closing += not opened and bool(_CLOSING.search(content))
    # A text of several lines opens in one and closes in another.
    pairs = min(ill, closing)
    return not ill or well + pairs > ill - pairs
