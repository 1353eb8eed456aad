"""People's own table with what was decided beside it: CSV, CSV for Russian Excel, JSON lines, xlsx."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Protocol, TextIO, cast, get_args

from stream.errors import InputError
from stream.files.json_shapes import flat, is_text
from stream.files.spreadsheet import SafeWriter
from stream.files.values import as_text, whole

OutputForm = Literal["csv", "excel", "jsonl", "tsv", "xlsx"]
"""``excel`` is CSV as Russian Excel opens it: UTF-8 with a mark, semicolons, decimal commas."""
REVIEW_ID: Final = "review_id"
CONFIDENCE: Final = "confidence"
ADDED: Final = ("category", "category_name", CONFIDENCE, "route", "reason")
# Of a workbook's columns, in letters.
_OWN_WIDTH: Final = 40
_USUAL_WIDTH: Final = 20
_ADDED_WIDTHS: Final[Mapping[str, int]] = {CONFIDENCE: 11, "route": 11, "reason": 30}
LEFT_OUT: Final = "left-out"
MARK: Final = "\ufeff"

_BY_SUFFIX: Final[Mapping[str, OutputForm]] = {".csv": "csv", ".tsv": "tsv", ".xlsx": "xlsx"}
# What a sheet and a cell of Excel hold.
_MOST_ROWS: Final = 1_048_576
_MOST_COLUMNS: Final = 16_384
_MOST_CHARACTERS: Final = 32_767
_EXACT_BELOW: Final = 10**15
_DATES: Final = {"default_date_format": "yyyy-mm-dd hh:mm:ss"}


@dataclass(frozen=True, slots=True)
class RowDecision:
    """What is said of a row.

    Attributes:
        category: slug; empty if the row was left out.
        category_name: for people.
        confidence: calibrated; None if the row was left out.
        route: "category", "relabel", or :data:`LEFT_OUT`.
        reason: why it is not published, or why it was left out.
    """

    category: str
    category_name: str
    confidence: float | None
    route: str
    reason: str

    @property
    def cells(self) -> tuple[str, str, float | None, str, str]:
        """In the order of :data:`ADDED`."""
        return (self.category, self.category_name, self.confidence, self.route, self.reason)


class TableWriter(Protocol):
    """Takes rows one after the other."""

    def write(self, fields: Mapping[str, Any], review_id: str, decision: RowDecision) -> None:
        """Write a row: what it was, and what is said of it."""


def output_form(path: Path, wanted: str | None = None) -> OutputForm:
    """Return how a file is to be written: as somebody says, or as its name does; else JSON lines.

    Raises:
        InputError: there is no such form.
    """
    if wanted is None:
        return _BY_SUFFIX.get(path.suffix.lower(), "jsonl")
    if wanted not in get_args(OutputForm):
        raise InputError(
            f"there is no form {wanted!r}", f"one of: {', '.join(get_args(OutputForm))}"
        )
    return cast("OutputForm", wanted)


@contextmanager
def table_writer(
    path: Path, file: TextIO | None, form: OutputForm, names: Sequence[str]
) -> Iterator[TableWriter]:
    """Write a table.

    Args:
        path: where a workbook is written.
        file: where the other forms are.
        form: of the table.
        names: of people's own columns, in order.

    Raises:
        InputError: a workbook cannot hold so many rows or columns.
    """
    if form == "xlsx":
        if len(names) + len(ADDED) > _MOST_COLUMNS:
            raise InputError(
                f"a sheet holds at most {_MOST_COLUMNS:,} columns", "name a .csv to write to"
            )
        with _workbook(path, names) as writer:
            yield writer
    elif file is None:
        raise InputError("there is no file to write to", "name one with --output")
    elif form == "jsonl":
        yield _JsonLines(file)
    else:
        yield _Csv(file, names, "\t" if form == "tsv" else ",", russian=form == "excel")


def added_names(names: Sequence[str]) -> list[str]:
    """Return the names of the added columns; one that people have already gets another."""
    return [f"{name} (model)" if name in names else name for name in ADDED]


class _JsonLines:
    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, fields: Mapping[str, Any], review_id: str, decision: RowDecision) -> None:
        own = {name: _plain(value) for name, value in fields.items()}
        named = {REVIEW_ID: review_id} if review_id and REVIEW_ID not in own else {}
        added = dict(zip(added_names(list(own)), decision.cells, strict=True))
        line = json.dumps({**named, **own, **added}, ensure_ascii=False, default=as_text)
        self._file.write(whole(line) + "\n")


class _Csv:
    def __init__(
        self, file: TextIO, names: Sequence[str], delimiter: str, *, russian: bool
    ) -> None:
        self._names = names
        self._russian = russian
        if russian:
            file.write(MARK)
        self._writer = SafeWriter(file, ";" if russian else delimiter)
        self._writer.writerow([*map(whole, names), *added_names(names)])

    def write(self, fields: Mapping[str, Any], review_id: str, decision: RowDecision) -> None:
        del review_id  # their own columns name the review, or nothing does
        own = _by_name(fields)
        cells = [whole(as_text(own.get(name))) for name in self._names]
        added = [self._number(c) if isinstance(c, float) else c for c in decision.cells]
        self._writer.writerow([*cells, *added])

    def _number(self, value: float) -> str:
        # 1.05 would be the first of May to Russian Excel.
        return str(value).replace(".", ",") if self._russian else str(value)


@contextmanager
def _workbook(path: Path, names: Sequence[str]) -> Iterator[TableWriter]:
    import xlsxwriter  # noqa: PLC0415 - only for workbooks
    from xlsxwriter.exceptions import FileCreateError  # noqa: PLC0415 - likewise

    # The library's own drafts hold all texts: they go with this folder, whatever happens.
    with tempfile.TemporaryDirectory(prefix="reviews-") as drafts, path.open("wb") as file:
        draft = _Draft(file)
        # Row by row, so that memory does not grow with the table.
        options = {"constant_memory": True, "tmpdir": drafts, **_DATES}
        book = xlsxwriter.Workbook(draft, options)
        book.use_zip64()
        try:
            yield _Workbook(book, names)
            book.close()
        except FileCreateError as error:
            # It wraps what the system said, which the command line knows how to tell.
            raise error.args[0] from None
        finally:
            draft.complete = True
            for sheet in book.worksheets():
                with suppress(OSError):  # its draft, of which nothing is wanted any more
                    sheet._opt_close()  # noqa: SLF001 - as Workbook.close() does


class _Draft:
    """A file until it is complete or failed; then it takes whatever it is given, and keeps nothing.

    The library leaves an archive that it could not write to be closed later, by nobody: that writes
    its end, which must not fail a second time.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.complete = False

    def write(self, data: Any) -> int:
        return len(data) if self.complete else self._file.write(data)

    def seek(self, place: int, whence: int = 0) -> int:
        return 0 if self.complete else self._file.seek(place, whence)

    def tell(self) -> int:
        return 0 if self.complete else self._file.tell()

    def flush(self) -> None:
        if not self.complete:
            self._file.flush()


class _Workbook:
    def __init__(self, book: Any, names: Sequence[str]) -> None:
        self._names = names
        self._sheet = book.add_worksheet()
        bold = book.add_format({"bold": True})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        share = book.add_format({"num_format": "0.0%", "valign": "top"})
        own = len(names)
        # Their columns as wide as a sentence reads well; ours as wide as what stands in them.
        self._sheet.set_column(0, max(own - 1, 0), _OWN_WIDTH, wrapped)
        for column, name in enumerate(ADDED, start=own):
            width = _ADDED_WIDTHS.get(name, _USUAL_WIDTH)
            self._sheet.set_column(column, column, width, share if name == CONFIDENCE else wrapped)
        self._row = 0
        for column, name in enumerate([*names, *added_names(names)]):
            self._sheet.write_string(0, column, whole(name), bold)
        self._sheet.freeze_panes(1, 0)

    def write(self, fields: Mapping[str, Any], review_id: str, decision: RowDecision) -> None:
        del review_id
        self._row += 1
        if self._row >= _MOST_ROWS:
            raise InputError(
                f"a sheet holds at most {_MOST_ROWS:,} rows", "name a .csv to write to"
            )
        own = _by_name(fields)
        for column, value in enumerate([*map(own.get, self._names), *decision.cells]):
            self._write_cell(column, value)

    def _write_cell(self, column: int, value: Any) -> None:
        """Write a value as what it is: a text is never taken for a formula, nor an id for a number."""
        if value is None or value == "":
            return
        if isinstance(value, bool):
            self._sheet.write_boolean(self._row, column, value)
        elif isinstance(value, int | float) and abs(value) < _EXACT_BELOW:
            self._sheet.write_number(self._row, column, value)
        elif isinstance(value, datetime | date | time) and getattr(value, "tzinfo", None) is None:
            self._sheet.write_datetime(self._row, column, value)
        else:
            text = whole(as_text(value))
            if len(text) > _MOST_CHARACTERS:
                text = text[: _MOST_CHARACTERS - 1] + "…"
            self._sheet.write_string(self._row, column, text)


def _by_name(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields by the names of columns, in which inner objects are flattened."""
    return flat(fields) if any(isinstance(value, dict) for value in fields.values()) else fields


def _plain(value: Any) -> Any:
    """Return a value for JSON: a number that was read as it is written becomes one again."""
    if isinstance(value, str) and not is_text(value):
        try:
            return json.loads(value)
        except ValueError:
            return str(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
