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
_OF_NO_ROW: Final = (
    *("bootstrap-start", "bootstrap-complete", "heartbeat", "tidb_watermark"),
    *("table-create", "table-alter", "table-drop"),
    *("database-create", "database-alter", "database-drop"),
    *("query", "create", "alter", "erase", "truncate", "rename", "cindex", "dindex"),
)
# Tuples: what a stranger wrote may be a list, which no set can be asked for.
_KEPT_BY_GOLDEN_GATE: Final = ("I", "U")
_GONE_BY_GOLDEN_GATE: Final = ("D", "T")
_KEPT_BY_DMS: Final = ("load", *_KEPT)
_ENDS_OF_A_TRANSACTION: Final = ("BEGIN", "END")
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
    known = (*_KEPT_BY_GOLDEN_GATE, *_GONE_BY_GOLDEN_GATE)
    if body.keys() >= _OF_GOLDEN_GATE and body["op_type"] in known:
        deleted = body["op_type"] not in _KEPT_BY_GOLDEN_GATE
        return _change(body.get("before") if deleted else body.get("after"), deleted=deleted)
    about = body.get("metadata")
    if isinstance(about, dict) and "operation" in about and "record-type" in about:  # AWS DMS
        return _change(body.get("data"), deleted=about["operation"] not in _KEPT_BY_DMS)
    return None


def is_without_row(body: Mapping[str, Any]) -> bool:
    """Tell whether Debezium sent it for itself: it names no row, and none is missing."""
    if body.keys() == {"ts_ms"}:
        return True
    if body.keys() >= _OF_A_TRANSACTION and body["status"] in _ENDS_OF_A_TRANSACTION:
        return True
    return "ddl" in body and "source" in body and "databaseName" in body


def _of_maxwell_or_canal(body: Mapping[str, Any]) -> RowChange | None:
    kind = str(body["type"]).lower()
    if kind in _KEPT and not body.get("isDdl"):
        return _change(body.get("data"), deleted=False)
    if kind in _GONE:
        return _change(body.get("data"), deleted=True)
    if kind in _OF_NO_ROW or body.get("isDdl"):
        return RowChange([], deleted=True)
    return None  # somebody's own message, which has these fields


def _change(data: object, *, deleted: bool) -> RowChange:
    rows = data if isinstance(data, list) else [data]
    return RowChange([row for row in rows if row], deleted)
