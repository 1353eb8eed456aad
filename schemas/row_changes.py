"""Changes of a database's rows, as tools beside Debezium send them: Maxwell, Canal, AWS DMS, GoldenGate.

And what Debezium sends beside changes: heartbeats, the marks of transactions, statements on tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

_OF_A_TABLE: Final = {"database", "table", "type"}
"""Fields of Maxwell, and of Canal (TiCDC writes the same), whose ``data`` is a list."""
_KEPT: Final = ("insert", "update", "bootstrap-insert")
_GONE: Final = ("delete",)
_OF_GOLDEN_GATE: Final = {"table", "op_type", "op_ts"}
_OF_A_TRANSACTION: Final = {"status", "id", "event_count"}


class RowChange(NamedTuple):
    """What a message says of a database's rows.

    Attributes:
        rows: as they are now, or were before they were deleted.
        deleted: they are gone, or it names no row at all.
    """

    rows: Sequence[object]
    deleted: bool


def row_change(body: Mapping[str, Any]) -> RowChange | None:
    """Return what a message of one of these tools says; None: it is of none of them.

    >>> row_change({"database": "a", "table": "b", "type": "delete", "data": {"id": 5}})
    RowChange(rows=[{'id': 5}], deleted=True)
    """
    if body.keys() >= _OF_A_TABLE and ("data" in body or "isDdl" in body):
        return _of_maxwell_or_canal(body)
    if body.keys() >= _OF_GOLDEN_GATE:
        deleted = body["op_type"] not in {"I", "U"}
        return _change(body.get("before") if deleted else body.get("after"), deleted=deleted)
    about = body.get("metadata")
    if isinstance(about, dict) and "operation" in about and "record-type" in about:  # AWS DMS
        return _change(body.get("data"), deleted=about["operation"] not in {"load", *_KEPT})
    return None


def is_without_row(body: Mapping[str, Any]) -> bool:
    """Tell whether Debezium sent it for itself: it names no row, and none is missing."""
    if body.keys() == {"ts_ms"}:
        return True
    if body.keys() >= _OF_A_TRANSACTION and body["status"] in {"BEGIN", "END"}:
        return True
    return "ddl" in body and "source" in body and "databaseName" in body


def _of_maxwell_or_canal(body: Mapping[str, Any]) -> RowChange | None:
    kind = str(body["type"]).lower()
    if kind in _KEPT and not body.get("isDdl"):
        return _change(body.get("data"), deleted=False)
    if kind in _GONE:
        return _change(body.get("data"), deleted=True)
    return RowChange([], deleted=True)  # of a table, or of the log: CREATE, bootstrap-start


def _change(data: object, *, deleted: bool) -> RowChange:
    rows = data if isinstance(data, list) else [data]
    return RowChange([row for row in rows if row], deleted)
