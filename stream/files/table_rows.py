"""Records of a table by the names of its columns; those of another width are mended or named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stream.files.damage import Decoded, is_damaged, judged
from stream.files.delimited import DelimitedReader
from stream.files.dialect import Layout
from stream.files.rows import BadRow, Reason, Record, Remarks
from stream.files.spreadsheet import unguarded
from stream.files.values import is_nothing, moment_of

TOGETHER: Final = "a text with unquoted delimiters was put together"

_LONGEST_NARROW: Final = 40


def goes_on(record: Record) -> BadRow:
    """Return a row below a header that goes on with it: questions, units."""
    return BadRow(record.line, "the header goes on in it", Reason.HEADER, record.fields)


class TableRows:
    """Records of a table by the names of its columns; those of another width are mended or named.

    Args:
        lines: of the table.
        layout: of the table.
        pieces: that the lines are made of.
        remarks: where it is counted what was mended.
    """

    def __init__(
        self, lines: DelimitedReader, layout: Layout, pieces: Decoded, remarks: Remarks
    ) -> None:
        self._lines = lines
        self._pieces = pieces
        self._layout = layout
        self._remarks = remarks
        self._names = layout.names
        self._delimiter = layout.dialect.delimiter or ""
        lines.columns = len(layout.names)

    def records(self) -> Iterator[Record | BadRow]:
        """Yield the records below the header that hold anything."""
        names, width = self._names, len(self._names)
        guarded, pieces = self._layout.dialect.delimiter is not None, self._pieces
        skip = -1 if self._layout.header is None else self._layout.header
        below = self._layout.below
        seen = -1
        for line in self._lines:
            if isinstance(line, BadRow):
                yield line
                continue
            if seen < skip:
                seen += 1
                continue
            number, cells = line
            if len(cells) != width:
                mended = self._mended(number, cells)
                if isinstance(mended, BadRow):
                    below -= 1
                    yield mended
                    continue
                cells = mended
            if not any(cells):
                continue
            if guarded and pieces.guards:
                cells = [unguarded(cell) if "'" in cell else cell for cell in cells]
            record = Record(number, dict(zip(names, cells, strict=True)))
            if below > 0:
                below -= 1
                yield goes_on(record)
                continue
            yield judged(record, self._remarks) if pieces.stray and is_damaged(record) else record

    def _mended(self, number: int, cells: list[str]) -> list[str] | BadRow:
        width = len(self._names)
        while len(cells) > width and not cells[-1].strip():
            cells = cells[:-1]
        if len(cells) == width:
            return cells
        if not any(cell.strip() for cell in cells):
            return [""] * width
        together = self._together(cells) if len(cells) > width else None
        if together is not None:
            self._remarks.add(TOGETHER, number)
            return together
        fields = dict(zip(self._names, cells, strict=False))
        return BadRow(number, f"{len(cells)} fields, the header has {width}", Reason.BROKEN, fields)

    def _together(self, cells: list[str]) -> list[str] | None:
        """Return a row whose text was parted at delimiters that nobody quoted; None if that is a guess.

        It is none where one column holds the text, and what stands around it is what its columns hold.
        """
        columns = self._layout.columns
        if len(columns.text) != 1:
            return None
        at = self._names.index(columns.text[0])
        after = len(self._names) - at - 1
        end = len(cells) - after
        row = [*cells[:at], self._delimiter.join(cells[at:end]), *cells[end:]]
        return row if all(map(self._fits, self._names, row)) else None

    def _fits(self, name: str, cell: str) -> bool:
        columns = self._layout.columns
        if name in columns.text or is_nothing(cell):
            return True
        if cell.startswith(" ") or len(cell) > _LONGEST_NARROW:
            return False
        if name in columns.rating:
            return cell.strip().replace(",", ".", 1).replace(".", "", 1).isdigit()
        if name in columns.id:
            return " " not in cell.strip()
        return name not in columns.date or moment_of(cell) is not None
