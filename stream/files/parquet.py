"""Parquet, with the extra ``parquet``: read in batches, never whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from stream.errors import ExtraMissing, InputError
from stream.files.columns import known_columns, listed
from stream.files.rows import BadRow, Record, Remarks
from stream.files.table import Options, Table

_AT_ONCE: Final = 1024


def parquet_table(file: BinaryIO, path: Path, options: Options) -> Table:
    """Return a Parquet file as a table.

    Raises:
        ExtraMissing: pyarrow is not installed.
        InputError: it is damaged, or no column is known to hold the text.
    """
    try:
        import pyarrow.parquet as arrow  # noqa: PLC0415 - an extra
    except ImportError:
        raise ExtraMissing(
            f"{path} is Parquet, and its reader is not installed",
            "pip install 'reviews-stream[parquet]'",
        ) from None
    try:
        file.seek(0)
        opened = arrow.ParquetFile(file)
        names = list(_names_of(opened.schema_arrow))
    except _faults() as error:
        raise InputError(f"{path} cannot be read as Parquet: {error}", "write it again") from None
    columns = known_columns(names, options.wanted)
    if columns is None:
        raise InputError(
            f"{path}: no column is known to hold the text; there are {listed(names)}",
            "name it with --text-column",
        )
    return Table(("Parquet",), tuple(names), columns, _records(opened, path), Remarks())


def _names_of(fields: Iterable[Any], above: str = "", most: int = 4) -> Iterator[str]:
    """Yield the names of columns, of inner ones as :func:`~stream.files.json_shapes.flat` has them."""
    for field in fields:
        inner = [field.type.field(at) for at in range(field.type.num_fields)]
        if inner and most > 1 and str(field.type).startswith("struct<"):
            yield from _names_of(inner, f"{above}{field.name}.", most - 1)
        else:
            yield f"{above}{field.name}"


def _faults() -> tuple[type[Exception], ...]:
    """Return what the library raises at a file that is damaged, or made in a way that it does not know."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    return (OSError, ValueError, pa.ArrowException)


def _rows(batch: Any) -> list[dict[str, Any]]:
    try:
        return cast("list[dict[str, Any]]", batch.to_pylist())
    except (OverflowError, ValueError):
        rows = zip(*batch.columns, strict=True)
        return [dict(zip(batch.schema.names, map(_value, row), strict=True)) for row in rows]


def _value(cell: Any) -> Any:
    """Return a value as Python has it, or as a text: a moment may be one that no date can be."""
    try:
        return cell.as_py()
    except (OverflowError, ValueError):
        with suppress(NotImplementedError):  # a list or an object that holds one
            return cell.cast("string").as_py()
        return None


def _records(opened: Any, path: Path) -> Iterator[Record | BadRow]:
    number = 0
    try:
        for batch in opened.iter_batches(batch_size=_AT_ONCE):
            for fields in _rows(batch):
                number += 1
                yield Record(number, fields)
    except _faults() as error:
        raise InputError(
            f"{path} is damaged after row {number}: {error}", "write it again"
        ) from None
