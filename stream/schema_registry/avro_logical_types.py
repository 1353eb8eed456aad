"""Avro's logical types: dates, decimals and UUIDs, read so that no value of them costs a review.

fastavro refuses a message for a date beyond the year 9999, rounds decimals to their precision, and needs
seconds for one that is long. These readers leave as it is what they cannot read.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

from fastavro.read import LOGICAL_READERS

_OURS: Final = "reviews."
_MOST_DECIMAL_BYTES: Final = 128
"""A number of 300 digits. To write a long one as a text takes the square of its length."""
_UUID_BYTES: Final = 16
_VARIABLE_SCALE: Final = "io.debezium.data.VariableScaleDecimal"
"""What Debezium makes of numbers without a scale of their own, as ids of Oracle are."""

_Read = Callable[[Any, Any, Any], Any]


def read_tolerantly(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a schema with our logical type instead of Avro's, where it has one."""
    logical = schema.get("logicalType")
    if isinstance(logical, str):
        return {**schema, "logicalType": _OURS + logical}
    if _VARIABLE_SCALE in {schema.get("name"), f"{schema.get('namespace')}.{schema.get('name')}"}:
        return {**schema, "logicalType": _OURS + "variable-scale"}
    return schema


def _or_as_it_is(read: _Read, data: Any, schema: Any, reader_schema: Any = None) -> Any:
    try:
        return read(data, schema, reader_schema)
    except (ValueError, ArithmeticError, TypeError, KeyError):
        return data


def _decimal(data: bytes, schema: Any, _: Any) -> Decimal | bytes:
    return _scaled(data, schema.get("scale", 0))


def _variable_scale(data: dict[str, Any], _schema: Any, _: Any) -> Decimal | bytes:
    return _scaled(data["value"], data["scale"])


def _scaled(data: bytes, scale: int) -> Decimal | bytes:
    if len(data) > _MOST_DECIMAL_BYTES:
        return data
    # From a text it is exact, whatever its precision is said to be.
    return Decimal(f"{int.from_bytes(data, 'big', signed=True)}E{-scale}")


def _uuid(data: bytes, _schema: Any, _: Any) -> UUID | bytes:
    return UUID(bytes=data) if len(data) == _UUID_BYTES else data


_READERS: Final[dict[str, _Read]] = {
    **LOGICAL_READERS,
    "bytes-decimal": _decimal,
    "fixed-decimal": _decimal,
    "fixed-uuid": _uuid,
    "record-variable-scale": _variable_scale,
}
for _name, _read in _READERS.items():
    _kind, _, _logical = _name.partition("-")
    LOGICAL_READERS[f"{_kind}-{_OURS}{_logical}"] = partial(_or_as_it_is, _read)
