"""Reviews of a file: what each record of its table says, or why it is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from schemas.loose_fields import joined_pieces
from stream.files.columns import Columns, plain, repeats_names
from stream.files.container import Opened, opened
from stream.files.json_shapes import flat
from stream.files.recognition import table_of
from stream.files.rows import BadRow, Reason, Record, Remarks, ReviewRow
from stream.files.table import Options, Table
from stream.files.values import as_text, has_words, id_of, is_nothing, is_rounded, moment_of, whole

ROUNDED: Final = "an id that a spreadsheet rounded: it got one made from its text"
NO_ID: Final = "an id that stands for nothing: it got one made from its text"
NO_DATE: Final = "a date that cannot be read: it is kept in the metadata as it was"
_OWN_FIELDS: Final = frozenset({"schema_version", "metadata"})
_LONGEST_HEADER: Final = 200
_NESTED: Final = "metadata."
_ANYTHING: Final = Options()


@dataclass(frozen=True, slots=True)
class ReviewFile:
    """An opened file of reviews.

    Attributes:
        table: what it was understood as.
        source: its bytes.
    """

    table: Table
    source: Opened

    def __iter__(self) -> Iterator[ReviewRow | BadRow]:
        """Yield every row, once: a review, or what is wrong with it."""
        return review_rows(self.table)


@contextmanager
def open_reviews(
    path: Path,
    options: Options = _ANYTHING,
    file: BinaryIO | None = None,
) -> Iterator[ReviewFile]:
    """Open a file of reviews, or standard input for ``-``, and understand it.

    Args:
        path: of the file.
        options: what is known of it.
        file: read instead of opening ``path``, which then only names it.

    Raises:
        InputError: it is absent, damaged, or nothing in it can be told to be reviews.
    """
    with opened(path, file) as source:
        yield ReviewFile(table_of(source, path, options), source)


def review_rows(table: Table) -> Iterator[ReviewRow | BadRow]:
    """Yield what each record of a table says of a review.

    Raises:
        InputError: the file breaks off or cannot be understood any more.
    """
    maker = Maker(table.columns, table.remarks, flat=table.flat)
    for record in table.records:
        yield record if isinstance(record, BadRow) else maker.row_of(record)


class Maker:
    """Makes reviews of records.

    Args:
        columns: of the table.
        remarks: where it is counted what was mended.
        flat: no value is an object of its own.
    """

    def __init__(self, columns: Columns, remarks: Remarks, *, flat: bool) -> None:
        self._flat = flat
        self._columns = columns
        self._remarks = remarks
        self._text = columns.text
        self._only_text = columns.text[0] if len(columns.text) == 1 else None
        self._used = frozenset({*columns.text, *_OWN_FIELDS})
        self._named = next((plain(name) for name in columns.text), "")

    def row_of(self, record: Record) -> ReviewRow | BadRow:
        """Return the review that a record holds, or why it holds none."""
        fields: Mapping[str, Any] = record.fields
        if not self._flat and any(isinstance(value, dict) for value in fields.values()):
            fields = flat(fields)
        line = record.line
        text = self._text_of(fields)
        if self._text and not has_words(text):
            return BadRow(line, _without_words(text), Reason.NO_WORDS, record.fields)
        if self._is_header(text, fields):
            return BadRow(line, "the header once more", Reason.HEADER, record.fields)
        review_id, of_id = self._id_of(line, fields)
        created_at, of_date = self._date_of(line, fields)
        used, own = self._used, (of_id, of_date)
        metadata = {
            name: value
            for name, value in fields.items()
            if (value or value == 0) and name not in used and name not in own
        }
        if not self._flat:
            metadata = _texts(metadata)
        return ReviewRow(line, review_id, text, created_at, metadata, record.fields)

    def _is_header(self, text: str, fields: Mapping[str, Any]) -> bool:
        """Tell whether a row is the header once more; the first letter answers for nearly all."""
        return (
            len(text) <= _LONGEST_HEADER
            and text[:1].lower() == self._named[:1]
            and not self._columns.guessed
            and repeats_names(fields)
        )

    def _text_of(self, fields: Mapping[str, Any]) -> str:
        if self._only_text is not None:
            value = fields.get(self._only_text)
            return value if type(value) is str else whole(_words_of(value))
        parts = (_words_of(fields.get(name)) for name in self._text)
        return whole("\n".join(part for part in parts if has_words(part)))

    def _id_of(self, line: int, fields: Mapping[str, Any]) -> tuple[str | None, str]:
        """Return the review's own id and its column; one that names no single review is none."""
        for name in self._columns.id:
            value = fields.get(name)
            if value is None or isinstance(value, list | bool):
                continue
            if is_rounded(value):
                self._remarks.add(ROUNDED, line)
                return None, ""
            found = id_of(value) if self._flat else whole(id_of(value))
            if is_nothing(found):
                if found:
                    self._remarks.add(NO_ID, line)
                continue
            return found, name
        return None, ""

    def _date_of(self, line: int, fields: Mapping[str, Any]) -> tuple[datetime | None, str]:
        """Return when a review was written, and the column; what cannot be read is no date."""
        unread = False
        for name in self._columns.date:
            value = fields.get(name)
            if (found := moment_of(value)) is not None:
                return found, name
            unread = unread or not is_nothing(as_text(value))
        if unread:
            self._remarks.add(NO_DATE, line)
        return None, ""


def _words_of(value: object) -> str:
    """Return a value as a text; a list is one if all that it holds is text, as Telegram parts it."""
    if not isinstance(value, list):
        return as_text(value)
    if (pieces := joined_pieces(value)) is not None:
        return pieces
    return "\n".join(value) if all(isinstance(line, str) for line in value) else ""


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return values of JSON and of workbooks as texts; lists are left out, and what is no number."""
    return {
        name.removeprefix(_NESTED): whole(text)
        for name, value in fields.items()
        if not isinstance(value, list) and (text := as_text(value))
    }


def _without_words(text: str) -> str:
    return f"the text is {text.strip()[:10]!r}, no words" if text.strip() else "the text is empty"
