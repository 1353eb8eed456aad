"""Any file as a table: what it is, which columns it has, and its records one after the other."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from stream.errors import InputError
from stream.files.columns import Columns, known_columns, listed
from stream.files.container import Opened
from stream.files.damage import Decoded, without_damage
from stream.files.delimited import DelimitedReader, Dialect, newline_of
from stream.files.dialect import Layout, delimiter_named, layout_of
from stream.files.encoding import (
    SAMPLE_BYTES,
    Encoding,
    doubt_of,
    encoding_named,
    encoding_of,
)
from stream.files.json_shapes import JsonWalk, decoded_line
from stream.files.json_tables import LOOKED_AT, elements, json_lines, list_in, names_of
from stream.files.other_kinds import (
    refuse_answer_of_an_error,
    refuse_no_lines,
    refuse_other_kinds,
)
from stream.files.rows import BadRow, Record, Remarks
from stream.files.table import LINES, Format, Options, Table
from stream.files.table_rows import TableRows

_LINES_TRIED: Final = 10
# More control characters than these are no text.
_MOST_CONTROL: Final = 0.02
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_DELIMITED: Final = frozenset({".csv", ".tsv", ".tab"})

_Kind = Literal["delimited", "json_lines", "json"]
_Read = tuple[list[str], Sequence[str], Columns, Iterator[Record | BadRow]]


def table_of(source: Opened, path: Path, options: Options) -> Table:
    """Return an opened file as a table.

    Raises:
        InputError: it is no table of reviews, or nothing tells which column is the text.
    """
    if source.content == "excel":
        return _of_workbook(source, path, options)
    if source.content == "parquet":
        from stream.files.parquet import parquet_table  # noqa: PLC0415 - an extra

        assert source.file is not None  # noqa: S101 - as its content says
        return parquet_table(source.file, path, options)
    return _of_text(source, path, options)


def _of_workbook(source: Opened, path: Path, options: Options) -> Table:
    from stream.files.sheets import open_sheet  # noqa: PLC0415 - only for workbooks

    assert source.file is not None  # noqa: S101 - as its content says
    sheet = open_sheet(source.file, str(path), options.wanted, options.sheet)
    facts = [*source.packing, "a workbook", f"sheet «{sheet.name}»"]
    if sheet.header > 1:
        facts.append(f"header in row {sheet.header}")
    if sheet.others:
        alike = f", {listed(sheet.alike)} with the same columns among them: --sheet names one"
        facts.append(f"{sheet.others} other sheets not read{alike if sheet.alike else ''}")
    return Table(tuple(facts), sheet.names, sheet.columns, sheet.records(), Remarks())


def _of_text(source: Opened, path: Path, options: Options) -> Table:
    head = source.pieces.peek_lines()
    encoding = (
        encoding_named(options.encoding) if options.encoding else encoding_of(head[:SAMPLE_BYTES])
    )
    whole = source.pieces.whole
    try:
        text = _decoded_head(head, encoding, whole=whole)
    except UnicodeError as error:  # a named one that needs a mark
        raise InputError(
            f"{path} cannot be read as {encoding.name}: {error}", "name utf-16-le, or another"
        ) from None
    if not text.strip():
        return Table(("an empty file",), (LINES,), Columns((LINES,)), iter(()), Remarks())
    if len(_CONTROL.findall(text)) > _MOST_CONTROL * len(text):
        raise InputError(
            f"{path} is no text that we know",
            "open it where it was made, and save it as CSV or xlsx; or name its --encoding",
        )
    if not options.encoding and (doubt := doubt_of(head[:SAMPLE_BYTES], encoding)):
        raise InputError(f"{path}: nothing tells for sure in which encoding it is written", doubt)
    if options.format == "auto":
        refuse_other_kinds(text, str(path))
    pieces = Decoded(source.pieces, encoding)
    remarks = Remarks()
    kind = _kind_of(text, PurePosixPath(source.name).suffix.lower(), options.format)
    reader = _Text(text, pieces, str(path), options, remarks, whole=whole)
    told, names, columns, records = reader.read(kind)
    if encoding.codec not in {"utf-8", "utf-8-sig"} or options.encoding:
        told.insert(1, encoding.name)
    is_flat = kind == "delimited"
    if not is_flat:
        records = without_damage(records, remarks)
    facts = (*source.packing, *told)
    return Table(facts, tuple(names), columns, records, remarks, flat=is_flat)


def _decoded_head(head: bytes, encoding: Encoding, *, whole: bool) -> str:
    decoder = codecs.getincrementaldecoder(encoding.codec)(encoding.errors)
    return decoder.decode(head, final=whole)


def _kind_of(head: str, suffix: str, wanted: Format) -> _Kind:
    """Tell JSON from tables and lines: by its first value, not by the file's name."""
    if wanted in {"csv", "lines"}:
        return "delimited"
    if wanted in {"json", "jsonl"}:
        return "json_lines" if wanted == "jsonl" or _is_by_lines(head) else "json"
    start = head.lstrip()[:1]
    if start in {"{", "["} and (_is_by_lines(head) or _begins_json(head)):
        return "json_lines" if _is_by_lines(head) else "json"
    if start == "{" and suffix not in _DELIMITED:
        return "json_lines"
    if suffix == ".json":
        return "json"
    return "json_lines" if suffix in {".jsonl", ".ndjson"} else "delimited"


def _is_by_lines(head: str) -> bool:
    """Tell whether each line is a value by itself, and one of the first an object."""
    lines = [line.strip() for line in islice(head.splitlines(), _LINES_TRIED) if line.strip()]
    if len(lines) <= 1 or lines[0] == "[":
        return False
    return any(line.startswith("{") and _is_json(line) for line in lines) and (
        lines[0].startswith("{") or _is_json(lines[0])
    )


def _is_json(line: str) -> bool:
    try:
        decoded_line(line.removesuffix(","))
    except (ValueError, RecursionError):
        return False
    return True


def _object_in(head: str) -> object:
    """Return what a text of JSON holds; None: it is none, or more than one value."""
    try:
        return decoded_line(head)
    except (ValueError, RecursionError):
        return None


def _begins_json(head: str) -> bool:
    try:
        next(JsonWalk(iter([head]), "").elements(), None)
    except InputError:
        return False
    return True


class _Text:
    """The readers of what is text; each returns facts, names, columns and records."""

    def __init__(
        self,
        head: str,
        pieces: Decoded,
        path: str,
        options: Options,
        remarks: Remarks,
        *,
        whole: bool,
    ) -> None:
        self._head = head
        self._pieces = pieces
        self._path = path
        self._options = options
        self._remarks = remarks
        self._whole = whole

    def read(self, kind: _Kind) -> _Read:
        if kind == "json":
            return self._as_json()
        return self._as_json_lines() if kind == "json_lines" else self._as_delimited()

    def _as_delimited(self) -> _Read:
        options = self._options
        layout = None
        if options.format != "lines":
            suffixes = {suffix.lower() for suffix in PurePosixPath(self._path).suffixes}
            layout = layout_of(
                self._head,
                whole=self._whole,
                wanted=options.wanted,
                delimiter=delimiter_named(options.delimiter) if options.delimiter else None,
                must_be_table=options.format == "csv" or bool(_DELIMITED & suffixes),
            )
        if layout is None:
            if options.format == "auto":
                refuse_no_lines(self._head, self._path)
            layout = Layout(
                Dialect(None, newline=newline_of(self._head)), (LINES,), Columns((LINES,)), None
            )
        reader = DelimitedReader(
            _from(iter(self._pieces), layout.skip), layout.dialect, self._remarks
        )
        return (
            _facts_of(layout),
            layout.names,
            layout.columns,
            TableRows(reader, layout, self._pieces, self._remarks).records(),
        )

    def _as_json_lines(self) -> _Read:
        text = self._head if self._whole else self._head[: self._head.rfind("\n") + 1]
        sample = [r for r in json_lines(iter([text]), newline_of(text)) if isinstance(r, Record)]
        names = names_of(record.fields for record in sample[:LOOKED_AT])
        columns = self._known(names) if names else Columns((LINES,))
        return (
            ["JSON lines"],
            names,
            columns,
            json_lines(iter(self._pieces), newline_of(self._head)),
        )

    def _as_json(self) -> _Read:
        if self._whole and self._options.format == "auto":
            refuse_answer_of_an_error(_object_in(self._head), self._path)
        choice = list_in(self._head, self._path, self._options.wanted, complete=self._whole)
        if choice.whole and self._goes_on_in_lines():
            return self._as_json_lines()
        records = elements(JsonWalk(iter(self._pieces), self._path), choice)
        facts = ["JSON"]
        if choice.path:
            facts.append(f"the list `{'.'.join(choice.path)}`")
        return facts, choice.names, choice.columns or self._known(choice.names), records

    def _goes_on_in_lines(self) -> bool:
        """Tell whether a live pipe that has said one line, a review, will say more of them."""
        line, end, _ = self._head.partition("\n")
        return not self._whole and bool(end) and self._options.format == "auto" and _is_json(line)

    def _known(self, names: Sequence[str]) -> Columns:
        columns = known_columns(names, self._options.wanted)
        if columns is None:
            raise InputError(
                f"{self._path}: no field is known to hold the text; there are {listed(names)}",
                "name it with --text-column",
            )
        return columns


def _facts_of(layout: Layout) -> list[str]:
    if layout.dialect.delimiter is None:
        return ["one review a line"]
    facts = ["CSV"]
    if len(layout.names) > 1:
        facts = ["a table" if layout.dialect.delimiter == "\t" else "CSV", layout.dialect.name]
    if layout.header:
        facts.append(f"header in record {layout.header + 1}")
    return facts


def _from(pieces: Iterator[str], skip: int) -> Iterator[str]:
    """Drop the first characters."""
    if not skip:
        return pieces
    first = next(pieces, "")
    while len(first) < skip and (more := next(pieces, "")):
        first += more
    return chain([first[skip:]], pieces)
