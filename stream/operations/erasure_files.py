"""Labelled files and data sets: taking single rows out, and which models were trained on them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stream.errors import InputError
from stream.files.spreadsheet import delimiter_of, unguarded
from stream.private_files import replace_whole
from stream.settings import LearningSettings
from stream.text import normalize

DATASET: Final = "dataset.jsonl"
LINEAGE: Final = "lineage.json"
ERASED: Final = "erased.jsonl"
"""Beside a data set: when rows were taken out, and how many. Its digest tells no more what is left."""
_REGISTRY: Final = "registry.json"
_MARK: Final = "\ufeff"

_IDS: Final = frozenset({"review_id", "id"})
_TEXT: Final = "text"
_COLUMNS: Final = _IDS | {_TEXT}

Row = Iterable[tuple[str, Any]]
"""Names and values; a careless header names two columns alike."""


@dataclass(frozen=True, slots=True)
class FileRows:
    """Rows that were, or would be, taken out of one file."""

    path: str
    rows: int


def data_files(learning: LearningSettings, more: Iterable[Path] = ()) -> Iterator[Path]:
    """Yield the data sets of all retrainings, the configured labelled files, and those named.

    Raises:
        InputError: a file that was named is not there, or is neither JSON lines nor CSV.
    """
    yield from sorted(learning.runs.glob(f"*/{DATASET}"))
    for path in (*learning.base, *learning.frozen, *more):
        if not path.is_file():
            raise InputError(f"{path} is not there", "name files that exist")
        if path.suffix not in {".jsonl", ".csv"}:
            raise InputError(f"{path} is neither .jsonl nor .csv", "erase the row by hand")
        yield path


def erase_rows(path: Path, review_id: str, texts: frozenset[str], *, dry_run: bool) -> int:
    """Take out of a file every row with this id or one of these texts; return how many.

    The file is replaced in one step: a reader meets the old one or the new one.

    Args:
        path: JSON lines, or CSV with a header and columns parted by commas, semicolons or tabs.
        review_id: a row's ``review_id`` or ``id``.
        texts: normalised.
        dry_run: count only.

    Raises:
        InputError: the file cannot be read or written.
    """

    def tells(name: str, value: Any) -> bool:
        if name == _TEXT:
            return isinstance(value, str) and normalize(value) in texts
        return name in _IDS and isinstance(value, str | int) and str(value) == review_id

    def is_wanted(row: Row) -> bool:
        return any(tells(name, value) for name, value in row)

    try:
        content = path.read_text(encoding="utf-8")
        split = _csv_rows if path.suffix == ".csv" else _json_lines
        mark = _MARK if content.startswith(_MARK) else ""
        kept, erased = split(content.removeprefix(mark), is_wanted)
        if erased and not dry_run:
            # Where a link leads, or what it leads to would keep them.
            replace_whole(path.resolve(), mark + kept, stat.S_IMODE(path.stat().st_mode))
            if path.name == DATASET:
                _note(path.with_name(ERASED), erased)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: {error}",
            "make it readable and writable and name its columns, then erase again",
        ) from None
    return erased


def trained_on(learning: LearningSettings, files: Iterable[Path]) -> list[int]:
    """Return the numbers of the registry's models that were trained on any of these data sets."""
    digests = set()
    for path in files:
        if path.name == DATASET:
            with contextlib.suppress(OSError, ValueError):
                digests.add(json.loads(path.with_name(LINEAGE).read_bytes())["digest"])
    try:
        state = json.loads((learning.registry / _REGISTRY).read_bytes())
    except (OSError, ValueError):
        return []
    versions = state.get("versions", [])
    return [v["number"] for v in versions if v.get("training_digest") in digests]


def _json_lines(content: str, is_wanted: Callable[[Row], bool]) -> tuple[str, int]:
    kept, erased = [], 0
    # Not splitlines(): a text may hold a line separator of Unicode's own.
    for line in content.split("\n"):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):  # no JSON, or nested to break its readers
            row = None
        if isinstance(row, dict) and is_wanted(row.items()):
            erased += 1
        else:
            kept.append(line)
    return "\n".join(kept), erased


def _csv_rows(content: str, is_wanted: Callable[[Row], bool]) -> tuple[str, int]:
    delimiter = delimiter_of(content.partition("\n")[0])
    csv.field_size_limit(max(csv.field_size_limit(), len(content)))
    lines = list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter))
    header, rows = lines[:1], lines[1:]
    names = [name.strip().lower() for cells in header for name in cells]
    if header and _COLUMNS.isdisjoint(names):
        raise csv.Error(f"no column is named {' or '.join(sorted(_COLUMNS))}")
    # Our own CSV files guard their cells against spreadsheets.
    kept = [row for row in rows if not is_wanted(zip(names, map(unguarded, row), strict=False))]
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, lineterminator="\n").writerows([*header, *kept])
    return written.getvalue(), len(rows) - len(kept)


def _note(path: Path, rows: int) -> None:
    """Write down that rows are missing; not which."""
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "rows": rows}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
