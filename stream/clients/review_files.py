"""Reading reviews from files: CSV, JSON lines, or plain lines of text.

Every row becomes either a :class:`ReviewRow` or a :class:`BadRow` that says what is wrong with it:
one broken row never costs the others.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TextIO, cast, get_args

from pydantic import ValidationError

from schemas import Review
from stream.errors import InputError
from stream.spreadsheet import delimiter_of

Format = Literal["auto", "csv", "jsonl", "lines"]
STDIN: Final = Path("-")

_BY_SUFFIX: Final[Mapping[str, Format]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "lines",
}
_ID_FIELDS: Final = ("review_id", "id")
_TEXT_FIELD: Final = "text"
# A field of more than the csv module's default 128 KiB is a bad review, not a broken file.
_MAX_CSV_FIELD: Final = 16 * 1024 * 1024
_PEEK_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that holds no review."""

    line: int
    problem: str


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One review as a file has it; not yet checked against the contract."""

    line: int
    """Line of the file on which the row ends, from 1."""
    review_id: str | None
    text: str
    created_at: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)

    def to_review(self, review_id: str) -> Review | BadRow:
        """Return the review under this id, or why the contract refuses it."""
        try:
            return Review.model_validate(
                {
                    "review_id": review_id,
                    "text": self.text,
                    "created_at": self.created_at,
                    "metadata": self.metadata,
                }
            )
        except ValidationError as error:
            return BadRow(self.line, why_invalid(error))


def why_invalid(error: ValidationError) -> str:
    """Say in one clause what is wrong with a review, without quoting its text."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    if where == "text" and first["type"] == "string_pattern_mismatch":
        return "the text is empty"
    return f"{where}: {first['msg']}"


def format_of(name: str) -> Format:
    """Return the format with this name.

    Raises:
        InputError: there is no such format.
    """
    if name not in get_args(Format):
        raise InputError(f"there is no format {name!r}", f"one of: {', '.join(get_args(Format))}")
    return cast("Format", name)


def check_readable(path: Path) -> None:
    """Check that a file can be opened. A pipe is left alone: opening it twice would lose data.

    Raises:
        InputError: the file is absent, a folder, or may not be read.
    """
    if path != STDIN and (path.is_file() or path.is_dir() or not path.exists()):
        with open_reviews(path):
            pass


@contextmanager
def open_reviews(path: Path) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``.

    Raises:
        InputError: the file is absent, a folder, or may not be read.
    """
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", "check the name, or use - for input") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", "name a CSV or JSONL file"
        ) from None
    with file:
        yield file


def read_rows(file: BinaryIO, name: Path, wanted: Format = "auto") -> Iterator[ReviewRow | BadRow]:
    """Yield every row of an open file.

    CSV needs a header with ``text`` and may have ``id`` or ``review_id``; JSON lines have the same
    names; all other scalar fields become the review's metadata. With ``auto`` the suffix decides,
    or else the first bytes.

    Raises:
        InputError: the file as a whole cannot be understood.
    """
    # BytesIO and the like cannot peek.
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast("Any", file))
    kind = _detect(buffered, name) if wanted == "auto" else wanted
    # Bytes that are not UTF-8 survive as lone surrogates, so that only their own row is bad.
    text = io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        rows = {"csv": _csv_rows, "jsonl": _jsonl_rows, "lines": _text_rows}[kind](text)
        for row in rows:
            yield _checked(row)
    finally:
        text.detach()  # the caller opened the file and closes it


def derived_id(text: str, occurrence: int = 0) -> str:
    """Return the same id for the same text every time.

    Args:
        text: the review as written.
        occurrence: how many equal texts came before it in the same file, so that equal lines stay
            different reviews and the whole file can be sent again under the same ids.
    """
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"text-{digest}" if occurrence == 0 else f"text-{digest}-{occurrence + 1}"


class IdDeriver:
    """Gives rows without an id a derived one."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def id_of(self, row: ReviewRow) -> str:
        """Return the row's own id, or one derived from its text."""
        if row.review_id:
            return row.review_id
        occurrence = self._seen[row.text]
        self._seen[row.text] += 1
        return derived_id(row.text, occurrence)


def _detect(file: io.BufferedReader[Any], name: Path) -> Format:
    if known := _BY_SUFFIX.get(name.suffix.lower()):
        return known
    head = file.peek(_PEEK_BYTES)[:_PEEK_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"{"):
        return "jsonl"
    first = (head.splitlines() or [b""])[0].decode("utf-8", "replace")
    return "csv" if _TEXT_FIELD in _columns(first, delimiter_of(first)) else "lines"


def _columns(header: str, delimiter: str) -> list[str]:
    """Return the names in a header, none if it is no line of CSV."""
    try:
        names = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [name.strip().lower() for name in names]


def _csv_rows(file: TextIO) -> Iterator[ReviewRow | BadRow]:
    csv.field_size_limit(_MAX_CSV_FIELD)
    header = file.readline()
    delimiter = delimiter_of(header)
    columns = _columns(header.rstrip("\r\n"), delimiter)
    if _TEXT_FIELD not in columns:
        raise InputError(
            f"the CSV header has no column {_TEXT_FIELD!r}; it has {', '.join(columns) or 'nothing'}",
            "name the columns id,text, or use --format lines for plain text",
        )
    reader = csv.reader(file, delimiter=delimiter)
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(reader.line_num + 1, f"broken CSV: {error}")
            continue
        if not values:
            continue  # an empty line
        line = reader.line_num + 1
        if len(values) != len(columns):
            yield BadRow(line, f"{len(values)} fields, the header has {len(columns)}")
            continue
        yield _row(line, dict(zip(columns, values, strict=True)))


def _jsonl_rows(file: TextIO) -> Iterator[ReviewRow | BadRow]:
    for line, content in enumerate(_lines(file), start=1):
        if not content.strip():
            continue
        try:
            fields = json.loads(content)
        except (ValueError, RecursionError) as error:
            yield BadRow(line, f"not JSON: {error}")
            continue
        if not isinstance(fields, dict) or not isinstance(fields.get(_TEXT_FIELD), str):
            yield BadRow(line, f"not an object with a string {_TEXT_FIELD!r}")
            continue
        yield _row(line, fields)


def _text_rows(file: TextIO) -> Iterator[ReviewRow | BadRow]:
    for line, content in enumerate(_lines(file), start=1):
        if content.strip():
            yield ReviewRow(line, None, content)


def _lines(file: TextIO) -> Iterator[str]:
    return (line.rstrip("\r\n") for line in file)


def _row(line: int, fields: Mapping[str, object]) -> ReviewRow:
    review_id = next((found for f in _ID_FIELDS if (found := _scalar(fields.get(f)))), None)
    nested = fields.get("metadata")
    metadata = {str(k): str(v) for k, v in nested.items()} if isinstance(nested, Mapping) else {}
    known = {*_ID_FIELDS, _TEXT_FIELD, "created_at", "metadata", "schema_version"}
    metadata |= {
        str(name): str(value)
        for name, value in fields.items()
        if name not in known and isinstance(value, str | int | float)
    }
    return ReviewRow(
        line, review_id, str(fields[_TEXT_FIELD]), _scalar(fields.get("created_at")), metadata
    )


def _scalar(value: object) -> str | None:
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _checked(row: ReviewRow | BadRow) -> ReviewRow | BadRow:
    """Refuse bytes that were not UTF-8, and escapes of lone surrogates that no UTF-8 can hold."""
    if isinstance(row, BadRow):
        return row
    fields = (row.text, row.review_id or "", *row.metadata, *row.metadata.values())
    try:
        for value in fields:
            value.encode()
    except UnicodeEncodeError:
        return BadRow(row.line, "not UTF-8 (if the file is Windows-1251: iconv -f cp1251 -t utf-8)")
    return row
