"""A look through a file before anything is done with it: is it what it was taken for?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

from stream.errors import InputError
from stream.files.container import STDIN
from stream.files.ids import IdLedger
from stream.files.json_shapes import flat
from stream.files.recognition import table_of
from stream.files.reviews import ReviewFile, open_reviews, review_rows
from stream.files.rows import BadRow, Reason, ReviewRow
from stream.files.table import Options, Table

# With fewer broken rows than these, or than a quarter, the others are worth having.
_FEW_BROKEN: Final = 3
_MOST_BROKEN: Final = 0.25
# Of JSON whose objects all have other fields.
_MOST_NAMES: Final = 1_000
_REMEDIES: Final = {
    Reason.BROKEN: "nothing was sent: mend the file, or say how it is made with --delimiter, "
    "--text-column or --format",
    Reason.ENCODING: "nothing was sent: name its encoding, as in --encoding cp1251",
}


@dataclass(slots=True)
class Findings:
    """What a look through a file found.

    Attributes:
        said: what it was understood as.
        names: of all columns and fields that were met.
        rows: how many there are, good and bad.
        left_out: how many for which reason.
        first: the first bad row of each reason.
        told: in lines, what was noticed of the others.
        whole: whether all of the file was looked at.
    """

    said: str = ""
    names: tuple[str, ...] = ()
    rows: int = 0
    left_out: Counter[Reason] = field(default_factory=Counter)
    first: dict[Reason, BadRow] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    whole: bool = True

    def add(self, row: ReviewRow | BadRow) -> None:
        """Count a row."""
        self.rows += 1
        if isinstance(row, BadRow):
            self.left_out[row.reason] += 1
            self.first.setdefault(row.reason, row)


def look_through(path: Path, options: Options) -> Findings:
    """Read a file to its end, and refuse it if it is not what it was taken for.

    Raises:
        InputError: much of it does not parse; or it breaks off.
    """
    with open_reviews(path, options) as file:
        return _looked_through(iter(file), file.table, path)


def look_at_head(file: ReviewFile, path: Path, options: Options) -> Findings:
    """Look through the beginning of what can be read only once.

    Raises:
        InputError: much of it does not parse.
    """
    source = file.source
    if source.content != "text":
        table = table_of(source, path, options)
        return _looked_through(review_rows(table), table, path)
    head, whole = source.pieces.peek_lines(), source.pieces.whole
    looked_at = BytesIO(head) if whole else _Beginning(head)
    with open_reviews(Path(source.name), options, looked_at) as beginning:
        return _looked_through(iter(beginning), beginning.table, path, whole=whole)


class _HeadEnds(Exception):
    """No more was looked at; the text goes on."""


class _Beginning(BytesIO):
    """The first bytes of a text that goes on: what they cut off is not judged."""

    def says_more(self, _seconds: float) -> bool:
        """Tell whether anything is left."""
        return self.tell() < len(self.getbuffer())

    def read1(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            _HeadEnds: there are no more here.
        """
        if piece := super().read1(size):
            return piece
        raise _HeadEnds


def _looked_through(
    rows: Iterator[ReviewRow | BadRow], table: Table, path: Path, *, whole: bool = True
) -> Findings:
    found, ledger = Findings(table.said, whole=whole), IdLedger()
    names = dict.fromkeys(table.names)
    try:
        for row in rows:
            found.add(row)
            if not table.flat and len(names) < _MOST_NAMES:
                names |= dict.fromkeys(flat(row.fields))
            if isinstance(row, ReviewRow) and row.review_id is not None:
                ledger.add(row.line, row.review_id, row.text)
    except _HeadEnds:
        pass
    found.names = tuple(names)
    refuse_if_broken(found, path, whole=whole)
    found.told = [*table.remarks.told(), *told_of_ids(ledger)]
    return found


def is_much(broken: int, rows: int) -> bool:
    """Tell whether so many broken rows speak of the file, not of themselves.

    >>> is_much(1, 10), is_much(4, 10), is_much(1, 1)
    (False, True, True)
    """
    few = broken < _FEW_BROKEN or broken <= _MOST_BROKEN * rows
    return broken > 0 and (not few or broken == rows)


def refuse_if_broken(found: Findings, path: Path, *, whole: bool = True) -> None:
    """Refuse a file of which much does not parse.

    Raises:
        InputError: names the first line that does not, and why.
    """
    faults = {reason: count for reason, count in found.left_out.items() if reason.is_fault}
    broken = sum(faults.values())
    if not is_much(broken, found.rows) or (broken < _FEW_BROKEN and not whole):
        return
    reason = max(faults, key=lambda each: faults[each])
    first = found.first[reason]
    name = "the input" if path == STDIN else str(path)
    raise InputError(
        f"{name}: {broken:,} of {found.rows:,} rows do not parse; "
        f"the first is in line {first.line}: {first.problem}",
        _REMEDIES[reason],
    )


def told_of_ids(ledger: IdLedger) -> list[str]:
    """Return what is to be said of ids that stand for several rows."""
    told = []
    count, pairs = ledger.shared()
    if count:
        lines = ", ".join(f"{a} and {b}" for a, b in pairs)
        told.append(
            f"{count:,} {'row has' if count == 1 else 'rows have'} the id of another with a text of "
            f"its own (lines {lines}): --id-column names another column"
        )
    if repeated := ledger.repeated():
        told.append(
            f"{repeated:,} {'row is' if repeated == 1 else 'rows are'} there twice, id and text"
        )
    if not ledger.complete:
        told.append("ids were compared in the first million rows only")
    return told
