"""Labelled files and data sets: taking single rows out, and which models were trained on them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stream.errors import InputError
from stream.settings import LearningSettings
from stream.spreadsheet import unguarded
from stream.text import normalize

DATASET: Final = "dataset.jsonl"
LINEAGE: Final = "lineage.json"
ERASED: Final = "erased.jsonl"
"""Beside a data set: when rows were taken out, and how many. Its digest tells no more what is left."""
_REGISTRY: Final = "registry.json"
_MARK: Final = "\ufeff"

Row = dict[str, Any]


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

    The file is replaced in one step: whoever reads it meets the old one or the new one.

    Args:
        path: JSON lines or CSV with a header.
        review_id: a row's ``review_id`` or ``id``.
        texts: normalised.
        dry_run: count only.

    Raises:
        InputError: the file cannot be read or written.
    """
    guards = path.suffix == ".csv"  # as our own CSV files do against spreadsheets

    def said(row: Row, name: str) -> Any:
        value = row.get(name)
        return unguarded(value) if guards and isinstance(value, str) else value

    def is_wanted(row: Row) -> bool:
        if review_id in {said(row, "review_id"), said(row, "id")}:
            return True
        text = said(row, "text")
        return isinstance(text, str) and normalize(text) in texts

    try:
        content = path.read_text(encoding="utf-8")
        split = _csv_rows if path.suffix == ".csv" else _json_lines
        kept, erased = split(content, is_wanted)
        if erased and not dry_run:
            _replace(path, kept)
            if path.name == DATASET:
                _note(path.with_name(ERASED), erased)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: {error}", "make it readable and writable, then erase again"
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
        except ValueError:
            row = None
        if isinstance(row, dict) and is_wanted(row):
            erased += 1
        else:
            kept.append(line)
    return "\n".join(kept), erased


def _csv_rows(content: str, is_wanted: Callable[[Row], bool]) -> tuple[str, int]:
    reader = csv.DictReader(io.StringIO(content, newline=""))
    rows = list(reader)
    # A spreadsheet's byte order mark stands before the first column's name.
    kept = [row for row in rows if not is_wanted({k.lstrip(_MARK): v for k, v in row.items() if k})]
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, reader.fieldnames or [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    return written.getvalue(), len(rows) - len(kept)


def _replace(path: Path, content: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(path.stat().st_mode)
    Path(file.name).replace(path)


def _note(path: Path, rows: int) -> None:
    """Write down that rows are missing; not which."""
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "rows": rows}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
