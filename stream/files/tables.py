"""Any file as a table: what it is, which columns it has, and its records one after the other."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, cast, get_args

from stream.errors import InputError
from stream.files.annotation_tools import plain_record
from stream.files.columns import Columns, Wanted, known_columns, listed
from stream.files.container import Opened, Pieces
from stream.files.delimited import DelimitedReader, Dialect, lines_of, newline_of
from stream.files.dialect import Layout, delimiter_named, layout_of
from stream.files.encoding import SAMPLE_BYTES, Encoding, encoding_named, encoding_of
from stream.files.json_shapes import Element, JsonWalk, decoded_line, flat, is_text
from stream.files.rows import BadRow, Reason, Record, Remarks
from stream.files.spreadsheet import unguarded
from stream.files.values import is_nothing, moment_of

Format = Literal["auto", "csv", "json", "jsonl", "lines", "excel", "parquet"]
LINES: Final = "text"
"""Name of the only column of a file that has a review on each line."""
TOGETHER: Final = "a text with unquoted delimiters was put together"
DAMAGED: Final = "damaged characters were replaced"

_PIECE: Final = 256 * 1024
_LOOKED_AT: Final = 200
_LINES_TRIED: Final = 10
_EACH: Final = "*"
# More control characters than these are no text.
_MOST_CONTROL: Final = 0.02
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_DELIMITED: Final = frozenset({".csv", ".tsv", ".tab"})
_LONGEST_NARROW: Final = 40
# A row with so many stray bytes is of another encoding; with fewer, a character was cut in two.
_MOST_STRAY: Final = 3
_STRAY: Final = re.compile("[\udc80-\udcff]{1,3}|[\ud800-\udfff]")


class NothingInside(InputError):
    """A file that is well-formed and empty."""


@dataclass(frozen=True, slots=True)
class Options:
    """What somebody said of a file; the rest is found out.

    Attributes:
        format: of the file.
        wanted: columns.
        encoding: as :func:`~stream.files.encoding.encoding_named` takes it.
        delimiter: as :func:`~stream.files.dialect.delimiter_named` takes it.
    """

    format: Format = "auto"
    wanted: Wanted = field(default_factory=Wanted)
    encoding: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A file as it was understood.

    Attributes:
        facts: what it is: "CSV", "Windows-1251", ...
        names: of its columns, as far as they are known before it is read.
        columns: which of them are what.
        records: to be read once.
        remarks: what was mended on the way.
        flat: no value of a record is an object of its own.
    """

    facts: tuple[str, ...]
    names: tuple[str, ...]
    columns: Columns
    records: Iterator[Record | BadRow]
    remarks: Remarks
    flat: bool = False

    @property
    def said(self) -> str:
        """What was understood, in one line."""
        columns = self.columns
        parts = [", ".join(self.facts), f"text from {listed(columns.text)}"]
        if columns.guessed:
            parts[1] += " (there is no header: --text-column names another)"
        for what, names in (("id", columns.id), ("date", columns.date)):
            if names:
                parts.append(f"{what} from {listed(names[:1])}")
        if not columns.id:
            parts.append("ids made from the texts")
        return "; ".join(parts)

    @property
    def said_of_labels(self) -> str:
        """What a file of labels was understood as, in one line."""
        columns = self.columns
        parts = [", ".join(self.facts), f"text from {listed(columns.text)}"]
        if columns.label:
            parts.append(f"label from {listed(columns.label[:1])}")
        return "; ".join(parts)


def format_of(name: str) -> Format:
    """Return the format with this name.

    Raises:
        InputError: there is no such format.
    """
    if name not in get_args(Format):
        raise InputError(f"there is no format {name!r}", f"one of: {', '.join(get_args(Format))}")
    return cast("Format", name)


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
    sheet = open_sheet(source.file, str(path), options.wanted)
    facts = [*source.packing, "a workbook", f"sheet «{sheet.name}»"]
    if sheet.header > 1:
        facts.append(f"header in row {sheet.header}")
    if sheet.others:
        facts.append(f"{sheet.others} other sheets not read")
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
    pieces = Decoded(source.pieces, encoding)
    remarks = Remarks()
    kind = _kind_of(text, PurePosixPath(source.name).suffix.lower(), options.format)
    reader = _Text(text, pieces, str(path), options, remarks, whole=whole)
    told, names, columns, records = getattr(reader, f"as_{kind}")()
    if encoding.codec not in {"utf-8", "utf-8-sig"} or options.encoding:
        told.insert(1, encoding.name)
    is_flat = kind == "delimited"
    if not is_flat:
        records = _of_encoding(records, remarks)
    facts = (*source.packing, *told)
    return Table(facts, tuple(names), columns, records, remarks, flat=is_flat)


def _decoded_head(head: bytes, encoding: Encoding, *, whole: bool) -> str:
    decoder = codecs.getincrementaldecoder(encoding.codec)(encoding.errors)
    return decoder.decode(head, final=whole)


class Decoded:
    """Text in pieces.

    Args:
        pieces: of bytes.
        encoding: of the text.
    """

    def __init__(self, pieces: Pieces, encoding: Encoding) -> None:
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder(encoding.codec)(encoding.errors)
        self.stray = False
        """Whether bytes were met that are none of the encoding."""
        self.guards = False
        """Whether apostrophes were met, which may guard against formulas."""

    def __iter__(self) -> Iterator[str]:
        while piece := self._pieces.read(_PIECE):
            yield self._judged(self._decoder.decode(piece))
        if rest := self._decoder.decode(b"", final=True):
            yield self._judged(rest)

    def _judged(self, text: str) -> str:
        self.stray = self.stray or not _is_whole(text)
        self.guards = self.guards or "'" in text
        return text


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_Kind = Literal["delimited", "json_lines", "json"]


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
        decoded_line(line)
    except (ValueError, RecursionError):
        return False
    return True


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
        self._suffix = PurePosixPath(path).suffix.lower()

    def as_delimited(self) -> tuple[list[str], Sequence[str], Columns, Iterator[Record | BadRow]]:
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

    def as_json_lines(self) -> tuple[list[str], Sequence[str], Columns, Iterator[Record | BadRow]]:
        text = self._head if self._whole else self._head[: self._head.rfind("\n") + 1]
        sample = [r for r in json_lines(iter([text]), newline_of(text)) if isinstance(r, Record)]
        names = _names_of(record.fields for record in sample[:_LOOKED_AT])
        columns = self._known(names) if names else Columns((LINES,))
        return (
            ["JSON lines"],
            names,
            columns,
            json_lines(iter(self._pieces), newline_of(self._head)),
        )

    def as_json(self) -> tuple[list[str], Sequence[str], Columns, Iterator[Record | BadRow]]:
        choice = _list_in(self._head, self._path, self._options.wanted, complete=self._whole)
        if choice.whole and self._goes_on_in_lines():
            return self.as_json_lines()
        records = _elements(JsonWalk(iter(self._pieces), self._path), choice)
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
                    yield mended
                    continue
                cells = mended
            if not any(cells):
                continue
            if guarded and pieces.guards:
                cells = [unguarded(cell) if "'" in cell else cell for cell in cells]
            record = Record(number, dict(zip(names, cells, strict=True)))
            yield _judged(record, self._remarks) if pieces.stray and _is_damaged(record) else record

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


def json_lines(pieces: Iterator[str], newline: str) -> Iterator[Record | BadRow]:
    """Yield the objects of JSON lines; a bad line costs no other."""
    number = 0
    for block in lines_of(pieces, newline):
        if block is None:
            number += 1
            yield BadRow(number, "the line is too long")
            continue
        for line in block:
            number += 1
            if content := line.strip():
                yield _of_json_line(number, content.removesuffix(","))


def _of_json_line(number: int, content: str) -> Record | BadRow:
    try:
        value = decoded_line(content)
    except (ValueError, RecursionError) as error:
        return BadRow(number, f"not JSON: {error}", Reason.BROKEN, {LINES: content})
    if not isinstance(value, dict):
        return BadRow(number, "not a JSON object", Reason.BROKEN, {LINES: content})
    return Record(number, plain_record(value))


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which elements of JSON are the rows."""

    path: tuple[str, ...]
    names: tuple[str, ...]
    columns: Columns | None
    whole: bool = False


def _list_in(head: str, name: str, wanted: Wanted, *, complete: bool) -> _Choice:
    """Find the list of reviews in JSON: of those whose elements have a text, the longest.

    Raises:
        InputError: there is none.
    """
    top = _sampled(head, name, complete=complete, whole=True).get((), [])
    if head.lstrip().startswith("{") and all(isinstance(value, dict) for value in top):
        names = _names_of(top)
        columns = _maybe(names, wanted)
        if columns and _hold_text(top, columns) and not any("." in text for text in columns.text):
            return _Choice((), tuple(names), columns, whole=True)
    samples = _sampled(head, name, complete=complete, whole=False)
    found = [
        (len(values), path, names, columns)
        for path, values in samples.items()
        if (names := _names_of(values))
        and (columns := _maybe(names, wanted)) is not None
        and _hold_text(values, columns)
    ]
    if found:
        _, path, names, columns = max(found, key=lambda each: each[0])
        return _Choice(path, tuple(names), columns)
    texts = [(len(v), p) for p, v in samples.items() if v and all(map(is_text, v))]
    if texts and len(samples) == 1:
        return _Choice(max(texts)[1], (LINES,), Columns((LINES,)))
    every = _names_of([value for values in samples.values() for value in values])
    if complete and not any(samples.values()):
        raise NothingInside(f"{name} holds no rows: every list in it is empty", "export it again")
    raise InputError(
        f"{name}: no list in it has a field that is known to hold the text; there are {listed(every)}",
        "name it with --text-column",
    )


def _sampled(
    head: str, name: str, *, complete: bool, whole: bool
) -> dict[tuple[str, ...], list[Any]]:
    """Return the first elements at each path.

    Raises:
        InputError: all of it was looked at, and it is no JSON from its beginning.
    """
    samples: dict[tuple[str, ...], list[Any]] = {}
    try:
        walk = JsonWalk(iter([head]), name).elements(whole=whole)
        for element in islice(walk, 20 * _LOOKED_AT):
            held = samples.setdefault(_place(element), [])
            if len(held) < _LOOKED_AT:
                value = element.value
                held.append(plain_record(value) if isinstance(value, dict) else value)
    except InputError:
        if complete and not samples:
            raise
    return samples


def _place(element: Element) -> tuple[str, ...]:
    """Return where an element stands; objects side by side under names of their own are one list."""
    return element.path if element.listed or not element.path else (*element.path[:-1], _EACH)


def _hold_text(values: Sequence[Any], columns: Columns | None) -> bool:
    """Tell whether any of these has a text, and no list in its place."""
    if columns is None:
        return True
    objects = [flat(value) for value in values if isinstance(value, dict)]
    return any(
        value.get(name) is not None and not isinstance(value[name], list)
        for value in objects
        for name in (columns.text or columns.id)
    )


def _maybe(names: Sequence[str], wanted: Wanted) -> Columns | None:
    try:
        return known_columns(names, wanted)
    except InputError:
        return None


def _names_of(values: Any) -> list[str]:
    names: dict[str, None] = {}
    for value in values:
        if isinstance(value, Mapping):
            names |= dict.fromkeys(flat(value))
    return list(names)


def _elements(walk: JsonWalk, choice: _Choice) -> Iterator[Record | BadRow]:
    for element in walk.elements(whole=choice.whole):
        value = element.value
        if _place(element) != choice.path or not (
            element.listed or _hold_text([value], choice.columns)
        ):
            continue
        if isinstance(value, dict):
            yield Record(element.number, plain_record(value))
        elif is_text(value) and choice.names == (LINES,):
            yield Record(element.number, {LINES: value})
        elif element.listed:
            yield BadRow(element.number, "not an object", Reason.BROKEN, {LINES: value})


def _of_encoding(rows: Iterator[Record | BadRow], remarks: Remarks) -> Iterator[Record | BadRow]:
    """Judge what no UTF-8 can hold: a cut character is replaced, a row of another encoding named."""
    for row in rows:
        yield _judged(row, remarks) if _is_damaged(row) else row


def _is_damaged(row: Record | BadRow) -> bool:
    return not all(_is_whole(value) for value in row.fields.values() if isinstance(value, str))


def _judged(row: Record | BadRow, remarks: Remarks) -> Record | BadRow:
    text = "".join(value for value in row.fields.values() if isinstance(value, str))
    stray = sum("\udc80" <= c <= "\udcff" for c in text)
    letters = sum("\x7f" < c < "\ud800" for c in text)
    whole = {name: _replaced(value) for name, value in row.fields.items()}
    if isinstance(row, BadRow):
        return BadRow(row.line, row.problem, row.reason, whole)
    if stray > _MOST_STRAY and stray > letters:
        problem = (
            "not UTF-8 (if it is Windows-1251: --encoding cp1251, or iconv -f cp1251 -t utf-8)"
        )
        return BadRow(row.line, problem, Reason.ENCODING, whole)
    remarks.add(DAMAGED, row.line)
    return Record(row.line, whole)


def _replaced(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _STRAY.sub("\ufffd", value)
